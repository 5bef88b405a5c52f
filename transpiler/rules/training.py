"""What training calls take: optimizers, schedules, losses, metrics, and the methods of a model."""

from __future__ import annotations

from transpiler.rules.base import Param, object_rule, params

_OPT = "keras.optimizers."
_TAIL = (
    "weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
    "ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None, decay=0.0, "
    "jit_compile=True, is_legacy_optimizer=False"
)

OPTIMIZERS = {
    "SGD": "learning_rate=0.01, momentum=0.0, nesterov=False",
    "Adam": "learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False",
    "AdamW": "learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False",
    "RMSprop": "learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-07, centered=False",
    "Adagrad": "learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-07",
    "Adadelta": "learning_rate=0.001, rho=0.95, epsilon=1e-07",
    "Adamax": "learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07",
    "Nadam": "learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07",
    "Ftrl": "learning_rate=0.001, learning_rate_power=-0.5, initial_accumulator_value=0.1, "
    "l1_regularization_strength=0.0, l2_regularization_strength=0.0, l2_shrinkage_regularization_strength=0.0, "
    "beta=0.0",
    "Lion": "learning_rate=0.001, beta_1=0.9, beta_2=0.99",
    "Lamb": "learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07",
    "Adafactor": "learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=0.001, clip_threshold=1.0, "
    "relative_step=True",
    "Muon": "learning_rate=0.001",
}


def _tail(head: str) -> str:
    return _TAIL.replace("weight_decay=None, ", "", 1) if "weight_decay" in head else _TAIL


for _name, _head in OPTIMIZERS.items():
    for _spelling in {_name, _name.lower()}:
        object_rule(_OPT + _spelling, f"{_head}, {_tail(_head)}", learning_rate="lr")

SCHEDULES = {
    "ExponentialDecay": "initial_learning_rate, decay_steps, decay_rate, staircase=False, name=None",
    "InverseTimeDecay": "initial_learning_rate, decay_steps, decay_rate, staircase=False, name=None",
    "PiecewiseConstantDecay": "boundaries, values, name=None",
    "PolynomialDecay": "initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False, "
    "name=None",
    "CosineDecay": "initial_learning_rate, decay_steps, alpha=0.0, name=None, warmup_target=None, warmup_steps=0",
    "CosineDecayRestarts": "initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name=None",
}
for _name, _head in SCHEDULES.items():
    object_rule(_OPT + _name, _head)
    object_rule(f"{_OPT}schedules.{_name}", _head)

_REDUCE = "reduction='sum_over_batch_size', name=None, dtype=None"
LOSSES = {
    "MeanSquaredError": "",
    "MeanAbsoluteError": "",
    "MeanAbsolutePercentageError": "",
    "MeanSquaredLogarithmicError": "",
    "BinaryCrossentropy": "from_logits=False, label_smoothing=0.0, axis=-1, ",
    "CategoricalCrossentropy": "from_logits=False, label_smoothing=0.0, axis=-1, ",
    "SparseCategoricalCrossentropy": "from_logits=False, ignore_class=None, "
    "reduction='sum_over_batch_size', axis=-1, name=None, dtype=None",
    "BinaryFocalCrossentropy": "apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, "
    "label_smoothing=0.0, axis=-1, ",
    "CategoricalFocalCrossentropy": "alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1, ",
    "Hinge": "",
    "SquaredHinge": "",
    "CategoricalHinge": "",
    "KLDivergence": "",
    "Poisson": "",
    "LogCosh": "",
    "Huber": "delta=1.0, ",
    "CosineSimilarity": "axis=-1, ",
    "Dice": "axis=None, ",
    "Tversky": "alpha=0.5, beta=0.5, axis=None, ",
}
for _name, _head in LOSSES.items():
    object_rule(f"keras.losses.{_name}", _head if "reduction" in _head else _head + _REDUCE)

METRICS = {
    "Accuracy": "name=None, dtype=None",
    "BinaryAccuracy": "name=None, dtype=None, threshold=0.5",
    "CategoricalAccuracy": "name=None, dtype=None",
    "SparseCategoricalAccuracy": "name=None, dtype=None",
    "TopKCategoricalAccuracy": "k=5, name=None, dtype=None",
    "SparseTopKCategoricalAccuracy": "k=5, name=None, dtype=None, from_sorted_ids=False",
    "MeanSquaredError": "name=None, dtype=None",
    "RootMeanSquaredError": "name=None, dtype=None",
    "MeanAbsoluteError": "name=None, dtype=None",
    "MeanAbsolutePercentageError": "name=None, dtype=None",
    "MeanSquaredLogarithmicError": "name=None, dtype=None",
    "CosineSimilarity": "name=None, dtype=None, axis=-1",
    "LogCoshError": "name=None, dtype=None",
    "Hinge": "name=None, dtype=None",
    "SquaredHinge": "name=None, dtype=None",
    "CategoricalHinge": "name=None, dtype=None",
    "KLDivergence": "name=None, dtype=None",
    "Poisson": "name=None, dtype=None",
    "BinaryCrossentropy": "name=None, dtype=None, from_logits=False, label_smoothing=0",
    "CategoricalCrossentropy": "name=None, dtype=None, from_logits=False, label_smoothing=0, axis=-1",
    "SparseCategoricalCrossentropy": "name=None, dtype=None, from_logits=False, axis=-1",
    "Precision": "thresholds=None, top_k=None, class_id=None, name=None, dtype=None",
    "Recall": "thresholds=None, top_k=None, class_id=None, name=None, dtype=None",
    "AUC": "num_thresholds=200, curve='ROC', summation_method='interpolation', name=None, dtype=None, "
    "thresholds=None, multi_label=False, num_labels=None, label_weights=None, from_logits=False",
    "TruePositives": "thresholds=None, name=None, dtype=None",
    "TrueNegatives": "thresholds=None, name=None, dtype=None",
    "FalsePositives": "thresholds=None, name=None, dtype=None",
    "FalseNegatives": "thresholds=None, name=None, dtype=None",
    "MeanIoU": "num_classes, name=None, dtype=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True, axis=-1",
    "R2Score": "class_aggregation='uniform_average', num_regressors=0, name=None, dtype=None",
    "F1Score": "average=None, threshold=None, name=None, dtype=None",
}
for _name, _head in METRICS.items():
    object_rule(f"keras.metrics.{_name}", _head)

_FIT = (
    "x=None, y=None, batch_size=None, epochs=1, verbose='auto', callbacks=None, validation_split=0.0, "
    "validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0, "
    "steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1, "
    "max_queue_size=10, workers=1, use_multiprocessing=False, show_accuracy=False, pickle_safe=False"
)
_EVALUATE = (
    "x=None, y=None, batch_size=None, verbose='auto', sample_weight=None, steps=None, callbacks=None, "
    "return_dict=False, max_queue_size=10, workers=1, use_multiprocessing=False, show_accuracy=False"
)
_PREDICT = (
    "x, batch_size=None, verbose='auto', steps=None, callbacks=None, max_queue_size=10, workers=1, "
    "use_multiprocessing=False"
)
_GENERATOR = "max_queue_size=10, workers=1, use_multiprocessing=False, verbose=0"

METHODS: dict[str, tuple[Param, ...]] = {
    "compile": params(
        "optimizer='rmsprop', loss=None, loss_weights=None, metrics=None, weighted_metrics=None, run_eagerly=False, "
        "steps_per_execution=1, jit_compile='auto', auto_scale_loss=True, sample_weight_mode=None, "
        "target_tensors=None, class_mode=None, experimental_run_tf_function=None, distribute=None"
    ),
    "fit": params(_FIT, x="X", epochs="nb_epoch"),
    "evaluate": params(_EVALUATE, x="X"),
    "predict": params(_PREDICT, x="X"),
    "predict_proba": params("x, batch_size=None, verbose=0, steps=None"),
    "predict_classes": params("x, batch_size=None, verbose=0, steps=None"),
    "train_on_batch": params(
        "x, y=None, sample_weight=None, class_weight=None, return_dict=False, reset_metrics=True"
    ),
    "test_on_batch": params("x, y=None, sample_weight=None, return_dict=False, reset_metrics=True"),
    "predict_on_batch": params("x"),
    "__call__": params("inputs, training=None, mask=None"),
    "fit_generator": params(
        "generator, steps_per_epoch=None, epochs=1, verbose=1, callbacks=None, validation_data=None, "
        "validation_steps=None, validation_freq=1, class_weight=None, max_queue_size=10, workers=1, "
        "use_multiprocessing=False, shuffle=True, initial_epoch=0",
        steps_per_epoch="samples_per_epoch", epochs="nb_epoch", validation_steps="nb_val_samples",
        max_queue_size="max_q_size", workers="nb_worker", use_multiprocessing="pickle_safe",
    ),
    "evaluate_generator": params(f"generator, steps=None, callbacks=None, {_GENERATOR}", steps="val_samples"),
    "predict_generator": params(f"generator, steps=None, callbacks=None, {_GENERATOR}", steps="val_samples"),
    "summary": params(
        "line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False, layer_range=None"
    ),
    "count_params": (),
    "reset_states": (),
    "reset_metrics": (),
    "get_weights": (),
    "set_weights": params("weights"),
    "save_weights": params("filepath, overwrite=True, save_format=None, options=None", filepath="filename path"),
    "load_weights": params(
        "filepath, skip_mismatch=False, by_name=False, options=None, reshape=False", filepath="filename path"
    ),
    "save": params(
        "filepath, overwrite=True, zipped=None, include_optimizer=True, save_format=None, signatures=None, "
        "options=None, save_traces=True", filepath="path",
    ),
    "to_json": (),
    "get_config": (),
}  # fmt: skip
