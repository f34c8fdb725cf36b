"""Protocol hearts: rhythms and waves that denoising must preserve, in real leads, real arrhythmia,
test signals of the standards, noise-only input and labelled motion.
"""
