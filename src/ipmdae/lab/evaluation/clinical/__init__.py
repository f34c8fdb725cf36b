"""Clinical measures after denoising: beats, fiducial points, ST level; and noise-only input.

Each module measures one thing and gives
:class:`ipmdae.lab.evaluation.clinical.rows.Row`; the detectors and the delineator are those of
well-kept packages, with their own settings.
"""
