"""Let one arm-run happen from hour zero to its horizon."""

from __future__ import annotations

from analysis.experiment.delivery import answer, deployment_days, set_up
from analysis.experiment.operations import watch_production
from analysis.experiment.scenario import WORLD_KINDS
from analysis.experiment.world import ArmRun, announce


def play(run: ArmRun) -> None:
    """Run the whole story; what happened is in the run's event sink.

    The same seed, scenario, delays and stage outcomes give the same events in the same order.
    """
    set_up(run)
    run.env.process(announce(run))
    for happening in run.stream:
        if happening.kind not in WORLD_KINDS:
            run.env.process(answer(run, happening))
    run.env.process(watch_production(run))
    if not run.arm.has("automated_deployment"):
        run.env.process(deployment_days(run))
    run.env.run(until=run.scenario.horizon_h)
