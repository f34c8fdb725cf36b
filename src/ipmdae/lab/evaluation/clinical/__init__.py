"""What cleaning does to what is read off an ECG: beats, waves, the ST level; and to no ECG at all.

Each module measures one thing and gives
:class:`ipmdae.lab.evaluation.clinical.rows.Row`; the detectors and the delineator are those of
well-kept packages, with their own settings.
"""
