"""Symbols of Keras' public API that are not translated, each with the reason. The coverage test reads this table."""

from __future__ import annotations

from transpiler.rules.base import refuse

_YET = "not translated yet"
_FOREIGN = "it runs a model of another framework, which this tool cannot see into"
_HASH = "its hash (FarmHash64, SipHash64) has no counterpart in PyTorch: hash the data beforehand"
_LABELS = "it changes labels or boxes along with the images: do this in the data pipeline"
_CONFIG = "a configuration as data is not followed: build the object by its class"
_BASE = "a base class; subclass the concrete one or write an nn.Module"
_CONTROL = "control flow over tensors inside a model is not translated: use a Python loop, or masks"
_COMPLEX = "complex tensors are not translated"
_KERNEL = "it takes its weights as tensors, which only a layer of one's own has: use the layer"
_SIZES = "the shape of its result depends on the data"
_UPDATE = "scattered updates are not translated yet"
_WINDOW = "not translated yet: compute the window with NumPy"

_TABLE: dict[str, dict[str, str]] = {
    "layers": {
        _FOREIGN: "FlaxLayer JaxLayer TFSMLayer",
        _HASH: "Hashing HashedCrossing",
        _LABELS: "CutMix MixUp MaxNumBoundingBoxes",
        _CONFIG: "serialize deserialize",
        _BASE: "Layer Wrapper InputSpec",
        "the wrapped torch module is the program's own: use it directly": "TorchModuleWrapper",
        "Keras overwrites the kernel at every training step; torch.nn.utils.parametrizations.spectral_norm is not the "
        "same": "SpectralNormalization",
        "its columns read dicts of features: build the inputs by hand": "DenseFeatures",
        _YET: "AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization "
        "MelSpectrogram Pipeline RandAugment RandomColorDegeneration RandomColorJitter RandomElasticTransform "
        "RandomErasing RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective "
        "RandomPosterization RandomSaturation RandomSharpness RandomShear ReversibleEmbedding STFTSpectrogram "
        "Solarization RandomHeight RandomWidth experimental.RandomFourierFeatures",
    },
    "ops": {
        _CONTROL: "associative_scan cond fori_loop map scan switch vectorize vectorized_map while_loop select "
        "custom_gradient jvp",
        _COMPLEX: "angle eig fft fft2 ifft2 imag irfft istft polar rfft stft view_as_complex view_as_real view",
        _KERNEL: "batch_normalization conv conv_transpose depthwise_conv layer_normalization rms_normalization "
        "separable_conv",
        _SIZES: "bincount nonzero unique histogram",
        _UPDATE: "scatter scatter_update slice_update segment_max segment_min segment_prod segment_sum",
        _WINDOW: "bartlett blackman hamming hanning kaiser geomspace logspace tri vander empty empty_like",
        "what it asks is known while the model is built": "allclose dtype is_tensor ndim size convert_to_numpy",
        "its numbers differ from the function of that name": "sparsemax",
        _YET: "affine_transform argpartition array array_split bitwise_invert cdist cholesky_inverse corrcoef "
        "correlate crop_images ctc_decode ctc_loss diag diagflat digitize dsplit eigh elastic_transform "
        "extract_patches_3d extract_sequences fold gaussian_blur get_item glu hsplit hsv_to_rgb inner isin "
        "kron lstsq lu_factor map_coordinates matrix_rank meshgrid nanargmax nanargmin nancumprod nancumsum "
        "nanmedian nanpercentile nanprod nanquantile nanstd nanvar pad_images perspective_transform pinv psnr "
        "qr rearrange rgb_to_grayscale rgb_to_hsv scale_and_translate searchsorted slogdet sobel_edges "
        "solve_triangular ssim svd trapezoid unfold unravel_index vdot vsplit",
    },
    "random": {
        "a seed of its own is not kept: the output draws from torch's generator": "SeedGenerator",
        _YET: "beta binomial categorical gamma randint shuffle truncated_normal",
    },
    "activations": {
        _CONFIG: "get serialize deserialize",
        "Keras' own shape inference of it fails": "threshold",
        "its numbers differ from the function of that name": "sparsemax",
    },
    "initializers": {
        _CONFIG: "get serialize deserialize", _BASE: "Initializer",
        "it goes with STFTSpectrogram, which is not translated yet": "STFT STFTInitializer stft",
    },
    "regularizers": {_CONFIG: "get serialize deserialize", _BASE: "Regularizer"},
    "constraints": {_CONFIG: "get serialize deserialize", _BASE: "Constraint"},
}  # fmt: skip

for _module, _reasons in _TABLE.items():
    for _reason, _names in _reasons.items():
        for _name in _names.split():
            refuse(f"keras.{_module}.{_name}", _reason)
