"""CPU seconds of another extractor on each array of a folder; run by ``groups/peers.py`` in a separate environment."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def essentia(rate: int) -> Callable[[np.ndarray], object]:
    """essentia's algorithms in a loop over frames, with librosa's frame length and hop."""
    import essentia.standard as es

    window, spectrum, mfcc = es.Windowing(type="hann", size=2048), es.Spectrum(size=2048), es.MFCC(inputSize=1025)
    peaks, hpcp = es.SpectralPeaks(sampleRate=rate), es.HPCP(sampleRate=rate)
    measures = (
        es.Centroid(range=rate / 2), es.RollOff(sampleRate=rate), es.Flatness(),
        es.SpectralContrast(frameSize=2048, sampleRate=rate, highFrequencyBound=rate / 2 - 1),
    )  # fmt: skip
    waves = (es.RMS(), es.ZeroCrossingRate())

    def extract(samples: np.ndarray) -> object:
        for frame in es.FrameGenerator(samples, frameSize=2048, hopSize=512):
            bins = spectrum(window(frame))
            mfcc(bins)
            hpcp(*peaks(bins))
            for measure in measures:
                measure(bins)
            for measure in waves:
                measure(frame)
        return None

    return extract


def opensmile(rate: int) -> Callable[[np.ndarray], object]:
    """openSMILE's ComParE 2016 functionals."""
    import opensmile as module

    smile = module.Smile(
        feature_set=module.FeatureSet.ComParE_2016, feature_level=module.FeatureLevel.Functionals, num_workers=1
    )
    return lambda samples: smile.process_signal(samples, rate)


def audioflux(rate: int) -> Callable[[np.ndarray], object]:
    """audioFlux's MFCC, chroma and spectral measures."""
    import audioflux as af

    def extract(samples: np.ndarray) -> object:
        mfcc, _ = af.mfcc(samples, cc_num=20, mel_num=128, radix2_exp=11, samplate=rate, slide_length=512)
        chroma = af.chroma_linear(
            samples, chroma_num=12, radix2_exp=11, samplate=rate, slide_length=512, high_fre=rate / 2
        )
        linear = af.BFT(
            num=1025, samplate=rate, radix2_exp=11, slide_length=512,
            scale_type=af.type.SpectralFilterBankScaleType.LINEAR,
        )  # fmt: skip
        magnitude = np.abs(linear.bft(samples))
        shape = af.Spectral(num=1025, fre_band_arr=linear.get_fre_band_arr())
        shape.set_time_length(magnitude.shape[-1])
        return (
            mfcc,
            chroma,
            [f(magnitude) for f in (shape.centroid, shape.spread, shape.rolloff, shape.flatness, shape.rms)],
        )

    return extract


def main() -> None:
    """Print the CPU seconds of each array as a JSON list."""
    peer, folder, rate = sys.argv[1:]
    extract = {"essentia": essentia, "opensmile": opensmile, "audioflux": audioflux}[peer](int(rate))
    arrays = [np.load(path) for path in sorted(Path(folder).glob("*.npy"), key=lambda path: int(path.stem))]
    extract(arrays[0])
    seconds = []
    for samples in arrays:
        start = time.process_time()
        extract(samples)
        seconds.append(time.process_time() - start)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
