"""Rhythms and waves that must survive cleaning: components added to real leads, real arrhythmia,
test signals of the standards, noise alone and labelled motion."""
