"""Protocol hearts: rhythms and waves that denoising must preserve.

They are measured in real leads, real arrhythmia, test signals of the standards, noise-only input
and labelled motion.
"""
