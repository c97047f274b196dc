"""The model card: what weights are, how they were made, how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hisf.train.loop import State


def model_card(
    name: str, size: int, about: Mapping[str, Any], curves: Mapping[str, Sequence[State]], command: str
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    name : str
        Of the weights file.
    size : int
        Of it, bytes.
    about : mapping
        Header of the weights file.
    curves : mapping of str to sequence of State
        By network.
    command : str
        That made it.
    """
    sampling, recipe, scores = about["sampling"], about["recipe"], about.get("scores", {})
    lines = [
        f"# {name}",
        "",
        f"Weights of hisf's networks, {size / 1e6:.1f} MB, architecture `{about['architecture']}`, "
        f"licence {about['licence']}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| made by | `{command}` |",
        f"| data | {about['data']} |",
        f"| sampling it expects | {sampling['pixels per beam']:g} pixels per beam, "
        f"{sampling['km/s per channel']:g} km/s per channel; finer cubes are averaged to it |",
        f"| range it was trained in | {_range(sampling, 'pixels per beam')}, {_range(sampling, 'km/s per channel')} |",
        f"| seeds | {', '.join(f'{key} {value}' for key, value in about['seeds'].items())} |",
        f"| recipe | {', '.join(f'{key} {value}' for key, value in recipe.items() if key != 'seed')} |",
        f"| versions | {', '.join(f'{key} {value}' for key, value in about['versions'].items())} |",
        "",
    ]
    for network, history in curves.items():
        lines += _curve(network, history)
    if scores:
        lines += _scores(scores, about)
    lines += [
        "## Limits",
        "",
        *(f"* {sentence}" for sentence in (*about["limits"], *_common_limits(about))),
        "",
        "## Licence",
        "",
        f"{about['licence']}.",
        "",
    ]
    return "\n".join(lines)


def draw_curves(curves: Mapping[str, Sequence[State]], path: Path) -> None:
    """Draw losses and scores against steps, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0 * max(1, len(curves)), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for k, (network, history) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(1, len(curves), k)
        steps = [state.step for state in history]
        for name in history[-1].losses if history else ():
            axes.plot(steps, [state.losses.get(name, float("nan")) for state in history], label=name)
        axes.set(title=network, xlabel="step", ylabel="loss")
        if history:
            axes.legend(loc="upper right", fontsize="small")
        right = axes.twinx()
        right.plot(steps, [state.score for state in history], color="black", linestyle="--")
        right.set_ylabel("score (dashed)")
    figure.savefig(path, format="png", dpi=120)


def _range(sampling: Mapping[str, Any], name: str) -> str:
    low, high = sampling[f"{name}, range"]
    return f"{low:g} to {high:g} {name}"


def _common_limits(about: Mapping[str, Any]) -> list[str]:
    """Return what is to be known of the appraiser."""
    if "appraiser" not in about["networks"]:
        return ["There is no appraiser in it: no confidence, and no properties of galaxies (appraise.method = forska)."]
    limits = ["Sizes, inclinations and fluxes of faint galaxies lean on what galaxies of that population are like."]
    if "scores" in about:
        limits.append("The confidence holds for cubes with about as many galaxies per voxel as it was calibrated on.")
    elif about.get("calibration"):
        limits.append("Appraiser and calibration are those of the weights it began with, made for that segmenter.")
    else:
        limits.append("The confidence is not calibrated.")
    return limits


def _curve(network: str, history: Sequence[State]) -> list[str]:
    if not history:
        return []
    names = list(history[-1].losses)
    what = "average precision over voxels" if network == "segmenter" else "minus the loss on fields held back"
    rows = [f"## {network}", "", f"Score: {what}, of the averaged weights; the best are kept.", ""]
    rows += [f"| step | {' | '.join(names)} | score |", f"| --- |{' --- |' * (len(names) + 1)}"]
    shown = history[:: max(1, len(history) // 12)]
    shown = [*shown, history[-1]] if shown[-1] is not history[-1] else shown
    for state in shown:
        values = " | ".join(f"{state.losses[name]:.4f}" if name in state.losses else "–" for name in names)
        rows.append(f"| {state.step} | {values} | {state.score:.4f} |")
    return [*rows, ""]


def _scores(scores: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    rows = [
        "## Calibration",
        "",
        f"{scores['cubes']} simulated cubes, {scores['sources']} sources, {scores['galaxies']} of them galaxies. "
        f"Logits become: {_knots(about['calibration']['curve'])}, linear between, constant beyond; with a second "
        f"finder more by {_numbers(about['calibration'])}. "
        f"Uncertainties are stretched by {_numbers(about['stretch'])}.",
        "",
        "| sources | stated confidence | share of galaxies |",
        "| --- | --- | --- |",
    ]
    rows += [f"| {row['n']} | {row['stated']:.3f} | {row['true']:.3f} |" for row in scores["diagram"]]
    return [*rows, ""]


def _numbers(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v:.2f}" for k, v in values.items() if k != "curve") or "nothing"


def _knots(curve: Sequence[Sequence[float]]) -> str:
    return ", ".join(f"{x:g} → {y:.2f}" for x, y in curve)
