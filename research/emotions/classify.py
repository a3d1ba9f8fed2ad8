"""The classifiers of the two papers, always tested on clips that they have not seen.

ExpNet: the K nearest neighbours. DeepExp3D: one-against-all SVMs, whose parameters are searched inside each fold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.performance.emotion_classifier import EmotionClassifier

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

MISSED = -1  # the class of a clip without a face: always wrong


def nearest(features: Floats, classes: Classes, groups: Classes, k: int) -> Classes:
    """Return the class of each of N clips by its K nearest clips of other groups, (N,); MISSED without features.

    features (N, D), NaN rows are left out; classes (N,) from 0. ``groups`` (N,) are the clips themselves (leave one
    clip out) or the subjects. Among classes with equal votes the one with the nearest member wins.
    """
    there = ~np.isnan(features).any(1)
    rows = np.where(there[:, None], features, 0)
    squared = (rows**2).sum(1)
    distance = squared[:, None] + squared - 2 * rows @ rows.T
    distance[(groups[:, None] == groups) | ~there] = np.inf
    k = min(k, len(rows))
    order = np.argsort(distance, 1, kind="stable")[:, :k]
    usable = np.isfinite(np.take_along_axis(distance, order, 1))
    votes = np.zeros((len(rows), classes.max() + 1))
    # The least weight decides ties only: all of them together are less than one vote.
    weight = np.where(usable, 1 + 2.0 ** -np.arange(2, k + 2), 0)
    np.add.at(votes, (np.arange(len(rows))[:, None], classes[order]), weight)
    chosen: Classes = np.where(there & usable.any(1), votes.argmax(1), MISSED)
    return chosen


def confusion(classes: Classes, guessed: Classes, count: int) -> Classes:
    """Return the counts (count, count + 1): a row for each true class, the last column for clips without a face."""
    table = np.zeros((count, count + 1), np.int64)
    np.add.at(table, (classes, np.where(guessed == MISSED, count, guessed)), 1)
    return table


def svm_accuracies(
    features: Floats, classes: Classes, groups: Classes | None, trials: int, seed: int, most_folds: int = 10
) -> Floats:
    """Return the accuracy of SVMs in each fold, (F,), see ``fold_accuracies``.

    C, gamma and kernel are searched in three folds of the training clips; the test clips have no part in it.
    """

    def learned(train: Classes, test: Classes) -> Classes:
        within = None if groups is None else groups[train]
        model = _searched(features[train], classes[train], trials, seed, within)
        guessed: Classes = model.predict(features[test])
        return guessed

    there = ~np.isnan(features).any(1)
    return fold_accuracies(there, classes, groups, learned, seed, most_folds)


def fold_accuracies(
    there: NDArray[np.bool_],
    classes: Classes,
    groups: Classes | None,
    learned: Callable[[Classes, Classes], Classes],
    seed: int,
    most_folds: int = 10,
) -> Floats:
    """Return the accuracy of each fold, (F,). With ``groups``, no group is in two folds.

    ``learned`` takes the indices of clips to train on and to test, all with a face, which ``there`` (N,) tells, and
    returns the guessed classes. There are as many folds as the rarest class has clips, at most ``most_folds``.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    folds = min(most_folds, int(np.bincount(classes).min()))
    if groups is not None:
        folds = min(folds, *(len(set(groups[classes == c])) for c in set(classes)))
    split = StratifiedGroupKFold if groups is not None else StratifiedKFold
    if folds < 2:
        return np.empty(0)
    scores = []
    for train, test in split(folds, shuffle=True, random_state=seed).split(classes, classes, groups):
        if not len(test):
            continue
        train, known = train[there[train]], test[there[test]]
        right = (learned(train, known) == classes[known]).sum() if len(known) else 0
        scores.append(right / len(test))  # a clip without a face counts as wrong
    return np.array(scores)


def _searched(features: Floats, classes: Classes, trials: int, seed: int, groups: Classes | None) -> Any:
    """Return the SVM with the best parameters in three folds of these clips, trained on all of them."""
    import optuna
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    inner = (StratifiedKFold if groups is None else StratifiedGroupKFold)(3, shuffle=True, random_state=seed)

    def accuracy(trial: Any) -> float:
        chosen = _machine(
            trial.suggest_float("C", 1e-2, 1e3, log=True),
            trial.suggest_float("gamma", 1e-4, 1e1, log=True),
            trial.suggest_categorical("kernel", ["linear", "rbf"]),
        )
        return float(cross_val_score(chosen, features, classes, groups=groups, cv=inner, error_score=0.0).mean())

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(accuracy, n_trials=trials)
    best = study.best_params
    return _machine(best["C"], best["gamma"], best["kernel"]).fit(features, classes)


def _machine(c: float, gamma: float, kernel: str) -> Any:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), OneVsRestClassifier(SVC(C=c, gamma=gamma, kernel=kernel)))


def trained(
    features: Floats, classes: Classes, subjects: Classes, names: tuple[str, ...], keys: tuple[str, ...], basis: str,
    trials: int, seed: int,
) -> EmotionClassifier:  # fmt: skip
    """Train the SVMs on all clips with a face, their parameters searched in subject-disjoint folds.

    ``names`` are those of the classes, ``keys`` and ``basis`` those of the features.
    """
    there = ~np.isnan(features).any(1)
    best = _searched(features[there], classes[there], trials, seed, subjects[there])
    scaler, machines = best[0], best[1].estimators_
    # scikit-learn makes one machine of two classes, which is for the second.
    signs = [1.0] * len(machines) if len(machines) > 1 else [-1.0, 1.0]
    machines = list(machines) if len(machines) > 1 else [machines[0]] * 2
    kernel = machines[0].kernel
    return EmotionClassifier(
        names, keys, basis, scaler.mean_, scaler.scale_,
        np.concatenate([m.support_vectors_ for m in machines]),
        np.repeat(np.arange(len(machines)), [len(m.support_vectors_) for m in machines]).astype(np.float64),
        np.concatenate([sign * m.dual_coef_[0] for sign, m in zip(signs, machines)]),
        np.array([sign * m.intercept_[0] for sign, m in zip(signs, machines)]),
        float(machines[0].gamma) if kernel == "rbf" else 0.0,
    )  # fmt: skip
