"""The laboratory: data sets, protocols, networks in torch, training and benchmarks.

Nothing outside this package but the command line imports it; what cleans a recording needs none of
it. Most of it needs the extra ``train`` or ``benchmark``.
"""
