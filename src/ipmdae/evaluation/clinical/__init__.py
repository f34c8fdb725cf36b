"""Clinical measures after denoising: beats, fiducial points, ST level; and noise-only input.

Each module measures one thing as :class:`ipmdae.evaluation.clinical.rows.Row`; the detectors
and the delineator are those of established packages, with their default settings.
"""
