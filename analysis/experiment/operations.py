"""From production back: windows of the stream, detectors, incidents, and what an arm does about them.

A monitor sees what it would see in earnest: images, the model's output, answers and times, and labels only
of the few images that somebody labelled, when they were labelled. People notice what users complain of,
after a delay. Whoever looks for a cause finds it, after a delay: that is all that people are assumed to do.
"""

from __future__ import annotations

from dataclasses import replace

from analysis.experiment import vocabulary
from analysis.experiment.delivery import (
    PRODUCTION,
    SERVICE,
    carry_change,
    diagnose,
    drop_bad_batches,
    forget_attempt,
    hand_over,
    is_bad,
    mend_head,
    merge,
    recover_model,
    release,
    train,
    use_batch,
)
from analysis.experiment.scenario import FAULTY
from analysis.experiment.stages import Entry, Observed
from analysis.experiment.vocabulary import purl
from analysis.experiment.world import POOLED_WINDOWS, ArmRun, Steps

REPAIRS = 3
"""How often people try to end an incident before they leave it to the next alarm."""


def watch_production(run: ArmRun) -> Steps:
    """Look at a window of the stream at regular times, and whenever production has changed."""
    every, last, between = run.scenario.production["every_h"], -1, 0
    while True:
        before, blatant, changed = run.degraded, run.blatant, run.changed
        look = int(run.env.now / every + 1e-9)
        between = between + 1 if look == last else 0
        last, window = look, f"{run.effort.seed}/{look}.{between}"
        observed = run.stages.observe(run.release.package, run.domain(), window)
        run.judge(observed)
        if set(run.degraded) - set(before) or (run.blatant and not blatant):
            run.env.process(_noticed_by_people(run, run.episode))
        run.env.process(_monitors(run, observed, run.state, window))
        yield run.env.any_of([run.env.timeout(every * (look + 1) - run.env.now), changed])


def _noticed_by_people(run: ArmRun, episode: int) -> Steps:
    about = "+".join(run.causes()) or f"degradation-{episode}"
    outage = {"errors", "latency"} & set(run.degraded)
    yield from run.wait("notice_outage" if outage else "notice_failure" if run.blatant else "notice_quality", about)
    if run.degraded and run.episode == episode:
        report_incident(run, "people", "reports of users")


def _monitors(run: ArmRun, observed: Observed, state: int, window: str) -> Steps:
    """Once the window is complete, every detector that the arm has looks at it."""
    yield run.env.timeout(run.scenario.production["window_h"])
    if run.arm.has("quality_monitoring"):
        run.env.process(_check_quality(run, observed, state, window))
    if state != run.state:
        return
    if run.arm.has("service_monitoring"):
        verdict = run.stages.service_verdict(observed.work)
        if verdict.alarm:
            report_incident(run, "service monitor", verdict.reason)
    if run.arm.has("drift_monitoring") and run.adapting is None:
        windows = [window.work for _, window in run.windows[run.reference_since :]]
        if not windows:  # a new reference was taken while this window came in
            return
        verdict = run.stages.drift_verdict(run.reference, run.release.package, windows)
        if verdict.alarm:
            run.say(vocabulary.drift_detected(SERVICE, verdict.statistic, verdict.limit, verdict.reason))
            if run.arm.has("triggered_retraining"):
                run.env.process(adapt(run))
            else:
                report_incident(run, "drift monitor", verdict.reason)


def _check_quality(run: ArmRun, observed: Observed, state: int, window: str) -> Steps:
    yield from run.wait("quality_labels", f"labels/{window}")
    if state != run.state:
        return
    position = next(i for i, (_, window) in enumerate(run.windows) if window.work == observed.work)
    labelled = [window.work for s, window in run.windows[: position + 1] if s == state][-POOLED_WINDOWS:]
    verdict = run.stages.quality_verdict(run.quality_target, labelled)
    if verdict.alarm:
        report_incident(run, "quality monitor", verdict.reason)


# ---- incidents -------------------------------------------------------------------------------


def report_incident(run: ArmRun, by: str, reason: str) -> None:
    """Open an incident and have it dealt with; a second alarm while one is open adds nothing."""
    if run.incident_open:
        return
    run.incident += 1
    run.incident_open = True
    name = f"incident-{run.incident:03d}"
    event = vocabulary.incident_detected(name, PRODUCTION, SERVICE, purl(SERVICE, run.release.package), reason)
    run.say(event, name, by=by, release=run.release.number)
    run.env.process(_deal_with(run, name, by, run.release.number))


def _deal_with(run: ArmRun, name: str, by: str, suspect: int) -> Steps:
    if by != "people":
        yield from run.wait("respond", name)
    ended_by = ""
    if by != "drift monitor":  # which says that the line has changed, not the release
        ended_by = yield from _roll_back(run, name, suspect)
    if not ended_by and run.arm.has("triggered_retraining") and by == "quality monitor":
        ended_by = yield from _retrain(run, name)
    for attempt in range(REPAIRS):
        if ended_by:
            break
        yield from diagnose(run, f"{name}/{attempt}")
        if not run.degraded:
            ended_by = "nothing to mend"
            break
        ended_by = yield from _mend(run, f"{name}/{attempt}", first=attempt == 0)
    run.incident_open = False
    event = vocabulary.incident_resolved(name, PRODUCTION, SERVICE, purl(SERVICE, run.release.package))
    run.say(event, name, ended_by=ended_by or "nothing", degraded=list(run.degraded))
    if run.degraded and not ended_by:
        run.env.process(_noticed_by_people(run, run.episode))


def _restored(run: ArmRun) -> Steps:
    """Wait until production has been looked at after what was just done to it."""
    yield run.env.timeout(run.scenario.production["window_h"])
    return not run.degraded


# ---- rollback --------------------------------------------------------------------------------


def _roll_back(run: ArmRun, name: str, suspect: int) -> Steps:
    """Bring the previous release back if the alarm came soon after a deployment. Returns what ended it."""
    recent = run.env.now - run.release.time_h <= run.scenario.controls["rollback_within_h"]
    if not run.arm.has("rollback") or len(run.releases) < 2 or not recent:
        return ""
    with run.line.request() as turn:
        yield turn
        if run.release.number != suspect:  # something else was deployed while we waited for the line
            return ""
        taken_back = run.releases.pop()
        deployed = run.stages.deploy(run.release.package)
        yield from run.spend(deployed)
        run.say(
            vocabulary.service_rolledback(SERVICE, PRODUCTION, purl(SERVICE, run.release.package)),
            name,
            release=run.release.number,
            taken_back=taken_back.number,
            changes=list(taken_back.names),
            seconds=deployed.seconds,
        )
        if run.arm.has("registry"):
            run.latest = run.release.model
        run.change_state()
        if run.arm.has("data_versioning"):
            batches = [item for item in taken_back.names if item.startswith("batch")]
            run.pool = tuple(batch for batch in run.pool if run.batch_names.get(batch) not in batches)
        returned = [entry for entry in run.head if entry.name in taken_back.names]
        if run.arm.has("version_control") and returned:
            run.head = tuple(entry for entry in run.head if entry not in returned)
            yield from merge(run, returned[0].name, f"Revert {', '.join(taken_back.names)}: {name}", reverts=True)
    restored = yield from _restored(run)
    if not restored:
        # It was not the release's fault, or not only: the changes stay out until the cause is known.
        run.env.process(_return_to_authors(run, returned))
        run.env.process(_return_batches(run, taken_back.names))
        return ""
    run.env.process(_clean_up(run, taken_back.names, name))
    run.env.process(_return_to_authors(run, returned))
    return "rollback"


def _return_to_authors(run: ArmRun, entries: list[Entry]) -> Steps:
    """With version control the changes were reverted; their authors mend them and try again."""
    if not run.arm.has("version_control"):
        return
    for entry in entries:
        yield from run.wait("fix", f"{entry.name}/rollback")
        repaired = replace(entry, active=False) if entry.kind in FAULTY else entry
        run.say(vocabulary.change_updated(entry.name), entry.name, refused_by="rollback")
        yield from carry_change(run, repaired, attempt=1)


def _clean_up(run: ArmRun, names: tuple[str, ...], name: str) -> Steps:
    """What a rollback leaves behind: defects still in the head, bad batches still in the pool."""
    yield from diagnose(run, f"{name}/after")
    if run.latest.lineage:
        yield from recover_model(run, f"{name}/after")
        run.latest = run.last_good
    faulty = tuple(entry for entry in run.head if entry.name in names and entry.active and entry.kind in FAULTY)
    for entry in faulty:
        yield from run.wait("fix", f"{entry.name}/after")
        run.say(vocabulary.change_updated(entry.name), entry.name, refused_by="rollback")
        yield from carry_change(run, replace(entry, active=False), attempt=1)
    yield from drop_bad_batches(run)
    yield from _return_batches(run, names)


def _return_batches(run: ArmRun, names: tuple[str, ...]) -> Steps:
    for batch_name in names:
        happening = next((item for item in run.stream if item.name == batch_name), None)
        if happening is not None and happening.name.startswith("batch"):
            yield from _relabelled(run, batch_name, happening.time_h)


def _relabelled(run: ArmRun, batch_name: str, time_h: float) -> Steps:
    """A batch that was taken back comes again, labelled as it should be."""
    yield from run.wait("batch_repair", f"{batch_name}/after")
    images = int(run.scenario.data["batch_images"])
    delivery = run.stages.deliver(None, batch_name, run.world.domain(time_h), images)
    run.batches[delivery.batch], run.batch_names[delivery.batch] = None, batch_name
    run.say(vocabulary.dataset_changed(batch_name, delivery.batch, "mended", delivery.images, 1), batch_name)
    yield from use_batch(run, batch_name, delivery.batch)


# ---- mending ---------------------------------------------------------------------------------


def _mend(run: ArmRun, about: str, first: bool) -> Steps:
    """The cause has been found: mend code, then data, else get a model for the line as it is now."""
    faulty = [entry for entry in run.release.head if entry.active and entry.kind in FAULTY]
    merged = [entry for entry in run.head if entry.active and entry.kind in FAULTY]
    bad_batches = [batch for batch in run.pool if is_bad(run, batch)]
    if faulty or merged:
        yield from run.wait("fix", about)
        mend_head(run, "incident")
        ended_by = "fix of code"
    elif bad_batches or (first and run.release.model.lineage):
        ended_by = "fix of data"
    else:
        return (yield from _retrain(run, about))
    yield from drop_bad_batches(run)
    refusal = yield from _hot_fix(run, about)
    restored = (not refusal) and (yield from _restored(run))
    return ended_by if restored else ""


def _hot_fix(run: ArmRun, about: str) -> Steps:
    """Commit, train if the model is to blame, release; by hand without waiting for the deployment day."""
    name = f"fix-{about.replace('/', '-')}"
    run.say(vocabulary.change_created(name), name, kind="fix")
    with run.line.request() as turn:
        yield turn
        yield from merge(run, name, f"{name}: mend what {about} was about")
        latest = run.latest
        if latest.lineage:
            yield from recover_model(run, about)
            refusal = yield from train(run, name, run.last_good)
        elif run.stages.training_digest(run.head) != run.latest.code or run.pool != run.latest.pool:
            refusal = yield from train(run, name)
        else:
            refusal = ""
        if not refusal and run.arm.has("automated_deployment"):
            refusal = yield from release(run, (name,))
        if refusal:
            forget_attempt(run, latest)
            return refusal
    if not run.arm.has("automated_deployment"):
        yield from hand_over(run, name, hotfix=True)
    return ""


# ---- a model for the line as it is now -------------------------------------------------------


def _retrain(run: ArmRun, about: str) -> Steps:
    """Answer a change of the line with new labels and a new model. Returns what ended it."""
    if run.adapting is not None:
        yield run.adapting
    else:
        if not run.arm.has("triggered_retraining"):
            yield from run.wait("retraining_request", about)
        yield from adapt(run)
    return "retraining" if (yield from _restored(run)) else ""


def adapt(run: ArmRun) -> Steps:
    """Have images of the line as it is now labelled, train with them, release; a new reference for drift."""
    if run.adapting is not None:
        yield run.adapting
        return
    done = run.adapting = run.env.event()
    run.responses += 1
    name = f"response-{run.responses:02d}"
    images = int(run.scenario.data["response_images"])
    run.say(vocabulary.ticket_created(name, "label and retrain", run.arm.name, "task"), name)
    yield from run.wait("labelling_queue", f"{name}/labelling")
    yield from run.wait("labelling_image", f"{name}/labelling", times=images)
    delivery = run.stages.deliver(None, f"{name}/{run.effort.seed}", run.domain(), images)
    share = run.scenario.data["response_held"]
    held, used = run.stages.divide(delivery.batch, share)
    earlier, _ = run.stages.divide(
        run.first_acceptance, min(1.0, share * images / run.scenario.data["acceptance_images"])
    )
    for batch in (delivery.batch, held, used):
        run.batches[batch], run.batch_names[batch] = None, name
    run.say(vocabulary.dataset_changed(name, delivery.batch, "response", delivery.images), name)
    run.acceptance = (earlier, held)  # models are judged by the line as it is now, and must not forget what was
    refusal = yield from use_batch(run, name, used, hotfix=True)
    if not refusal:
        run.reference, run.reference_since, run.reference_h = delivery.batch, len(run.windows), run.env.now
    run.adapting = None
    run.say(vocabulary.ticket_closed(name, "withdrawn" if refusal else "completed"), name)
    done.succeed()
