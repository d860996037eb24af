"""Trainings, models in use and batches of data of an event log: one row each.

What the event table says of models, and how it is read here:

- a *candidate* is the model from a training that finished without failure. A promotion, rejection or deployment is
  about the latest training before it that it names, by cause or by change. A deployment that carries several changes
  brings the model that finished last. Deployments of code alone name no training and bring no model.
- a model is *in use* from its first promotion. Promoting a model again, with new code around it, changes nothing; nor
  does promoting another model under the change of a training whose own model was refused.
- where nobody promotes (a service without any ``model.promoted``), a deployment that brings a model puts it into use,
  unless it was refused before.
- a rollback of the deployment that brought a model brings back the model before.
- where a log has no trainings, each model that was promoted or rejected is a candidate.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from analysis.kpi.ml_facts import MlEvents, hours_of

_NOT_FAILED = (pl.col("outcome") != "failure").fill_null(True)


def compute_trainings(events: MlEvents) -> pl.DataFrame:
    """Finished trainings with what became of their models: one row each.

    Returns
    -------
    DataFrame
        ``service``, ``training``, ``event``, ``finished``, ``failed``, ``seconds`` (null where not logged), ``changes``
        (list), ``used`` (when its model was put into use; null if never), ``deployments`` (list: ids that brought it),
        ``rejected`` (first refusal; null if none).
    """
    finished = (
        events.of_type("training.finished")
        .group_by("service", pl.col("subject").alias("training"), "event")
        .agg(
            pl.col("time").min().alias("finished"),
            (pl.col("outcome") == "failure").any().fill_null(False).alias("failed"),
            pl.col("value").max().alias("seconds"),
            pl.col("change").drop_nulls().unique().sort().alias("changes"),
        )
        .sort("finished", "training", "event")
        .with_row_index("place")
    )
    used, rejected = _decisions(events, finished)
    return (
        finished.join(used, on="place", how="left")
        .join(rejected, on="place", how="left")
        .sort("place")
        .drop("place")
        .with_columns(pl.col("deployments").fill_null(pl.lit([], dtype=pl.List(pl.String))))
    )


def compute_candidates(events: MlEvents, trainings: pl.DataFrame) -> pl.DataFrame:
    """Models that could be put into use: ``service``, ``used`` and ``rejected`` (booleans; never both)."""
    if len(trainings):
        return trainings.filter(~pl.col("failed")).select(
            "service",
            pl.col("used").is_not_null().alias("used"),
            (pl.col("used").is_null() & pl.col("rejected").is_not_null()).alias("rejected"),
        )
    decided = events.of_type("model.promoted", "model.rejected").group_by("service", "subject")
    promoted = (pl.col("type") == "model.promoted").any()
    return decided.agg(promoted.alias("used"), (~promoted).alias("rejected")).select("service", "used", "rejected")


def compute_batches(events: MlEvents, trainings: pl.DataFrame) -> pl.DataFrame:
    """Batches of data: one row each.

    Returns
    -------
    DataFrame
        ``service``, ``batch``, ``changed`` (first arrival), ``used`` (first model from it in use, or deployment or
        promotion that names it; null if none), ``hours`` and ``censored`` (up to when it was given up or the log ends).
    """
    batch = pl.coalesce("change", "subject").alias("batch")
    arrived = events.of_type("dataset.changed").group_by("service", batch).agg(pl.col("time").min().alias("changed"))
    named = events.of_type("model.promoted", "service.deployed").filter(
        (pl.col("outcome") != "failure").fill_null(True) & pl.col("change").is_not_null()
    )
    uses = pl.concat(
        [
            named.select("service", pl.col("change").alias("batch"), pl.col("time").alias("used")),
            trainings.filter(pl.col("used").is_not_null())
            .explode("changes")
            .select("service", pl.col("changes").alias("batch"), "used"),
        ]
    )
    first = (
        arrived.join(uses, on=["service", "batch"], how="inner")
        .filter(pl.col("used") >= pl.col("changed"))
        .group_by("service", "batch")
        .agg(pl.col("used").min())
    )
    given_up = events.of_type("change.abandoned").group_by("service", batch).agg(pl.col("time").max().alias("given_up"))
    return (
        arrived.join(first, on=["service", "batch"], how="left")
        .join(given_up, on=["service", "batch"], how="left")
        .with_columns(
            pl.when(pl.col("given_up").is_not_null()).then(pl.max_horizontal("given_up", "changed")).alias("given_up")
        )
        .select(
            "service",
            "batch",
            "changed",
            "used",
            hours_of(pl.coalesce("used", "given_up", pl.lit(events.end)) - pl.col("changed")).alias("hours"),
            pl.col("used").is_null().alias("censored"),
        )
        .sort("service", "changed", "batch")
    )


def compute_models_in_use(events: MlEvents, trainings: pl.DataFrame) -> pl.DataFrame:
    """Which model was in production when: one row a stretch.

    Returns
    -------
    DataFrame
        ``service``, ``start_h``, ``end_h`` (hours since the begin of the log), ``since_h`` (when the model was first
        put into use) and ``data_h`` (when the newest data behind it, or behind a model before it, arrived); null where
        not known. The start of a service, a first deployment without changes, stands for both until then.
    """
    batches = {(row["service"], row["batch"]): row["changed"] for row in compute_batches(events, trainings).to_dicts()}
    steps: list[tuple[str, datetime, int, str, dict | None]] = []
    for row in trainings.filter(pl.col("used").is_not_null()).to_dicts():
        steps.append((row["service"], row["used"], 1, row["training"], row))
    for row in events.of_type("service.rolledback").select("service", "time", "cause").unique().to_dicts():
        steps.append((row["service"], row["time"], 2, row["cause"] or "", None))
    for row in _service_starts(events).to_dicts():
        steps.append((row["service"], row["time"], 0, "", None))
    rows: list[dict] = []
    open_: dict[str, list[dict]] = {}
    for service, time, kind, name, training in sorted(steps, key=lambda step: step[:4]):
        models = open_.setdefault(service, [])
        if kind == 0:
            models.append({"since": time, "data": time, "brought_by": set()})
        elif kind == 1:
            known = [batches[service, change] for change in training["changes"] if (service, change) in batches]
            earlier = [model["data"] for model in models if model["data"] is not None]
            data = max([*known, *earlier], default=None)
            models.append({"since": time, "data": data, "brought_by": set(training["deployments"])})
        elif len(models) > 1 and name in models[-1]["brought_by"]:
            models.pop()
        else:
            continue
        if rows and (previous := next((row for row in reversed(rows) if row["service"] == service), None)):
            previous["end"] = time
        rows.append(
            {"service": service, "start": time, "end": events.end} | {k: models[-1][k] for k in ("since", "data")}
        )
    schema = {"service": pl.String} | dict.fromkeys(("start", "end", "since", "data"), pl.Datetime("us", "UTC"))
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    begin = pl.lit(events.begin)
    return frame.select(
        "service",
        *(hours_of(pl.col(name) - begin).alias(f"{name}_h") for name in ("start", "end", "since", "data")),
    )


def _decisions(events: MlEvents, finished: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """For each training (``place``): when its model was put into use and by which deployments; when it was refused."""
    pairs = _pair(events, finished)
    refusals = pairs.filter(pl.col("type") == "model.rejected")
    rejected = refusals.group_by("place").agg(
        pl.col("time").min().alias("rejected"), pl.col("subject").unique().alias("refused")
    )
    promotions = (
        events.of_type("model.promoted")
        .filter(_NOT_FAILED)
        .group_by("service", "subject")
        .agg(pl.col("event").sort_by("time", "event").first())
        .join(pairs.filter(pl.col("type") == "model.promoted"), on=["service", "subject", "event"], how="inner")
        .join(rejected, on="place", how="left")
        .filter(pl.col("refused").is_null() | pl.col("refused").list.contains(pl.col("subject")).fill_null(True))
        .group_by("place")
        .agg(pl.col("time").min().alias("used"))
    )
    brought = pairs.filter(pl.col("type") == "service.deployed").join(rejected, on="place", how="left")
    promoting = events.of_type("model.promoted").select("service").unique()
    deployed = (
        brought.join(promoting, on="service", how="anti")
        .filter(pl.col("rejected").is_null() | (pl.col("time") < pl.col("rejected")))
        .group_by("place")
        .agg(pl.col("time").min().alias("used"))
    )
    used = pl.concat([promotions, deployed])
    ids = (
        brought.join(used, on="place", how="inner")
        .filter(pl.col("time") >= pl.col("used"))
        .group_by("place")
        .agg(pl.col("subject").unique().sort().alias("deployments"))
    )
    return used.join(ids, on="place", how="left"), rejected.drop("refused")


def _pair(events: MlEvents, finished: pl.DataFrame) -> pl.DataFrame:
    """Promotions, rejections and deployments with the training that they are about: ``place`` beside their columns."""
    keys = pl.concat(
        [
            finished.select("service", "place", "finished", pl.col("training").alias("key")),
            finished.select("service", "place", "finished", pl.col("changes").alias("key")).explode("key").drop_nulls(),
        ]
    ).unique()
    about = events.of_type("model.promoted", "model.rejected", "service.deployed").filter(_NOT_FAILED)
    columns = ["service", "event", "time", "type", "subject"]
    about = pl.concat(
        [
            about.select(*columns, pl.col("change").alias("key")),
            about.filter(pl.col("type") != "service.deployed").select(*columns, pl.col("cause").alias("key")),
        ]
    ).drop_nulls("key")
    return (
        about.sort("time")
        .join_asof(
            keys.sort("finished", "place"),
            left_on="time",
            right_on="finished",
            by=["service", "key"],
            check_sortedness=False,
        )
        .drop_nulls("place")
        .group_by("service", "event", "type")
        .agg(pl.col("place").max(), pl.col("time").min(), pl.col("subject").min())
    )


def _service_starts(events: MlEvents) -> pl.DataFrame:
    """First deployment of each service, if it carries no change."""
    deployed = events.of_type("service.deployed").filter((pl.col("outcome") != "failure").fill_null(True))
    first = deployed.group_by("service").agg(
        pl.col("time").min(),
        pl.col("change").filter(pl.col("time") == pl.col("time").min()).is_not_null().any().alias("carries"),
    )
    return first.filter(~pl.col("carries")).select("service", "time")
