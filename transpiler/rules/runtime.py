"""Names that concern the running of Keras and TensorFlow themselves: what is left of them in PyTorch, if anything."""

from __future__ import annotations

_QUIET = "tensorflow.compat.v1.logging."

# Calls without effect on what a program computes: their statements go.
WITHOUT_EFFECT = frozenset(
    [
        "keras.config.disable_traceback_filtering",
        "keras.config.enable_traceback_filtering",
        "keras.config.disable_interactive_logging",
        "keras.config.enable_interactive_logging",
        "keras.utils.disable_interactive_logging",
        "keras.utils.enable_interactive_logging",
        "keras.config.enable_unsafe_deserialization",
        "keras.config.set_backend",
        "keras.backend.manual_variable_initialization",
        "keras.backend.set_session",
        "tensorflow.compat.v1.keras.backend.set_session",
        "tensorflow.keras.backend.set_session",
        "tensorflow.debugging.disable_traceback_filtering",
        "tensorflow.debugging.enable_traceback_filtering",
        "tensorflow.autograph.set_verbosity",
        "tensorflow.logging.set_verbosity",
        "tensorflow.get_logger.setLevel",
        f"{_QUIET}set_verbosity",
        "tensorflow.compat.v1.enable_eager_execution",
        "tensorflow.enable_eager_execution",
        "tensorflow.compat.v1.disable_eager_execution",
        "tensorflow.compat.v1.enable_v2_behavior",
        "tensorflow.compat.v1.disable_v2_behavior",
        "tensorflow.config.run_functions_eagerly",
        "tensorflow.config.experimental_run_functions_eagerly",
        "tensorflow.config.optimizer.set_jit",
        "tensorflow.config.experimental.set_memory_growth",
        "tensorflow.config.set_soft_device_placement",
        "tensorflow.config.threading.set_inter_op_parallelism_threads",
        "tensorflow.config.threading.set_intra_op_parallelism_threads",
        "tensorflow.compat.v1.reset_default_graph",
        "tensorflow.reset_default_graph",
    ]
)

# Pictures of models: told, and left out.
PICTURES = frozenset(["keras.utils.plot_model", "keras.utils.visualize_util.plot", "keras.utils.plot"])

_GPUS = '[torch.device("cuda", index) for index in range(torch.cuda.device_count())]'

# Values that PyTorch has too. The arguments of those that are called are always the same.
REPLACED = {
    "tensorflow.__version__": "torch.__version__",
    "tensorflow.version.VERSION": "torch.__version__",
    "keras.__version__": "torch.__version__",
    "tensorflow.test.is_gpu_available": "torch.cuda.is_available()",
    "tensorflow.test.is_built_with_cuda": "torch.backends.cuda.is_built()",
    "tensorflow.test.gpu_device_name": '("cuda:0" if torch.cuda.is_available() else "")',
}
# By the kind of device that is asked for.
DEVICES = {
    "tensorflow.config.list_physical_devices": _GPUS,
    "tensorflow.config.list_logical_devices": _GPUS,
    "tensorflow.config.experimental.list_physical_devices": _GPUS,
    "tensorflow.config.experimental.list_logical_devices": _GPUS,
}
