"""Evaluation of denoised signals: metrics, and tests of networks on the pairs of a protocol."""
