"""Speech recognition: features, Conformers, CTC and attention decoders, error rates, synthesis, small recognisers."""

from tenfold.speech.attention import (
    LinearFactory,
    MultiheadAttention,
    RelPositionalEncoding,
    RelPositionMultiheadAttention,
    dense,
    shift,
    unbiased,
)
from tenfold.speech.augmentation import adaptive_time_mask, babble, mixed, noisy, spec_augment
from tenfold.speech.batches import Batches
from tenfold.speech.conformer import ConformerBlock, ConformerEncoder, FeedForward
from tenfold.speech.convolution import ConvolutionModule, mask_of
from tenfold.speech.corpora import Corpus, corpus
from tenfold.speech.decoder import TransformerDecoder, attention_beam, framed
from tenfold.speech.decoding import collapse, ctc_beam, ctc_greedy, decode
from tenfold.speech.error_rates import character_error_rate, edit_distance, edits, word_error_rate
from tenfold.speech.espeak import Line, espeak_voices, speak
from tenfold.speech.features import band_centres, log_mel, mel_filters, standardised
from tenfold.speech.formants import Voice, synthesise, voices
from tenfold.speech.frontends import AudioResNet, VideoResNet, synthetic_video
from tenfold.speech.grammar import GRID, GRID_WORDS, digit_strings, grid_sentences
from tenfold.speech.losses import ctc_loss, ctc_losses, hybrid_loss, label_smoothing_loss
from tenfold.speech.recognition import SIZES, build, material, restore_recognizer, sizes, train_recognizer
from tenfold.speech.recognizer import AudioVisualRecognizer, CTCHead, Recognizer, Subsampling, base_recognizer
from tenfold.speech.schedules import warmup_cosine
from tenfold.speech.transcription import Heard, error_counts, listen, measured, rates, transcribe
from tenfold.speech.vocabulary import Vocabulary, subwords, vocabulary

__all__ = [
    "GRID",
    "GRID_WORDS",
    "SIZES",
    "AudioResNet",
    "AudioVisualRecognizer",
    "Batches",
    "CTCHead",
    "ConformerBlock",
    "ConformerEncoder",
    "ConvolutionModule",
    "Corpus",
    "FeedForward",
    "Heard",
    "Line",
    "LinearFactory",
    "MultiheadAttention",
    "Recognizer",
    "RelPositionMultiheadAttention",
    "RelPositionalEncoding",
    "Subsampling",
    "TransformerDecoder",
    "VideoResNet",
    "Vocabulary",
    "Voice",
    "adaptive_time_mask",
    "attention_beam",
    "babble",
    "band_centres",
    "base_recognizer",
    "build",
    "character_error_rate",
    "collapse",
    "corpus",
    "ctc_beam",
    "ctc_greedy",
    "ctc_loss",
    "ctc_losses",
    "decode",
    "dense",
    "digit_strings",
    "edit_distance",
    "edits",
    "error_counts",
    "espeak_voices",
    "framed",
    "grid_sentences",
    "hybrid_loss",
    "label_smoothing_loss",
    "listen",
    "log_mel",
    "mask_of",
    "material",
    "measured",
    "mel_filters",
    "mixed",
    "noisy",
    "rates",
    "restore_recognizer",
    "shift",
    "sizes",
    "speak",
    "spec_augment",
    "standardised",
    "subwords",
    "synthesise",
    "synthetic_video",
    "train_recognizer",
    "transcribe",
    "unbiased",
    "vocabulary",
    "voices",
    "warmup_cosine",
    "word_error_rate",
]
