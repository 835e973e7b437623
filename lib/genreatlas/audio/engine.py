"""The engine that extraction uses: the reference graph with what can be done faster in its place.

A node is replaced by a function of the same name and meaning; nodes without a fast form stay librosa's
and read the same intermediates. What may differ, and by how much, is in ``docs/performance.md``.
"""

from genreatlas.audio.fast import cepstral, harmonic, pitch, rhythm, spectral, statistics
from genreatlas.audio.reference import LIBROSA

ENGINE = LIBROSA.extended(
    spectral.spectrum,
    spectral.magnitude,
    spectral.silent,
    spectral.bin_sums,
    spectral.spectral_centroid,
    spectral.spectral_bandwidth,
    spectral.spectral_rolloff,
    spectral.spectral_contrast,
    spectral.nominal_contrast,
    spectral.spectral_flatness,
    spectral.rms_spectral,
    spectral.rms,
    spectral.zero_crossing_rate,
    cepstral.mel_power,
    cepstral.mel_db,
    cepstral.mfcc,
    pitch.tuning,
    pitch.nominal_tuning,
    pitch.magnitude_tuning,
    pitch.chroma_stft,
    pitch.nominal_chroma,
    pitch.cqt,
    pitch.octaves_together,
    pitch.chroma_cqt,
    pitch.chroma_cens,
    pitch.tonnetz,
    rhythm.onset_envelope,
    rhythm.mean_autocorrelation,
    rhythm.sliding_tempogram,
    rhythm.tempogram,
    rhythm.tempogram_mean,
    rhythm.tempo,
    harmonic.harmonic,
    harmonic.percussive,
    statistics.summarise,
)
