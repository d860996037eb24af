"""From a change to production: what an arm does with code, configuration and data.

A change goes through the stages that the arm has, and back to its author as often as one of them refuses
it. Everything that the arm lacks simply does not happen.
"""

from __future__ import annotations

from dataclasses import replace

from analysis.experiment import vocabulary
from analysis.experiment.scenario import CODE_KINDS, FAULTY, Happening
from analysis.experiment.stages import Entry, Head
from analysis.experiment.vocabulary import purl
from analysis.experiment.world import ArmRun, Model, Release, Steps

ATTEMPTS = 3
"""How often a change or batch is mended before it is given up."""

SERVICE, PRODUCTION = "inspection", "production"


def set_up(run: ArmRun) -> None:
    """The project as every arm finds it: a first model, packaged, in service. Takes no virtual time."""
    data = run.scenario.data
    run.say(vocabulary.repository_created())
    run.say(vocabulary.environment_created(PRODUCTION))
    initial = run.stages.deliver(None, "initial", run.world.baseline, int(data["initial_images"]))
    acceptance = run.stages.deliver(None, "acceptance", run.world.baseline, int(data["acceptance_images"]))
    run.pool, run.acceptance = (initial.batch,), (acceptance.batch,)
    run.first_acceptance = run.reference = acceptance.batch
    for batch, name in ((initial.batch, "initial"), (acceptance.batch, "acceptance")):
        run.batches[batch], run.batch_names[batch] = None, name
    run.stages.commit(run.head, "The project as handed over", run.scenario.moment(0))
    trained = run.stages.train("initial", run.head, run.pool, "")
    model = Model(trained.model, run.stages.training_digest(run.head), run.pool)
    run.latest = model
    run.models.append(model)
    packaged = run.stages.package(run.head, model.digest)
    run.first_map50 = run.stages.evaluate(packaged.package, run.acceptance).map50
    run.stages.deploy(packaged.package)
    run.releases.append(Release(0, packaged.package, model, run.head, (), 0.0))
    run.say(vocabulary.service_deployed(SERVICE, PRODUCTION, purl(SERVICE, packaged.package)))


def answer(run: ArmRun, happening: Happening) -> Steps:
    """What follows from one event of the stream, the world's own changes apart."""
    yield run.env.timeout(happening.time_h - run.env.now)
    if happening.kind in CODE_KINDS:
        yield from carry_change(run, Entry(happening.name, happening.kind, happening.variant))
    else:
        yield from carry_batch(run, happening)


def with_entry(head: Head, entry: Entry) -> Head:
    """The head with ``entry`` in it, in place of an earlier attempt of the same name."""
    return tuple(sorted([*(other for other in head if other.name != entry.name), entry]))


def mended(entry: Entry) -> Entry:
    """The change without its defect; one that has none stays as it is."""
    return replace(entry, active=False) if entry.kind in FAULTY else entry


# ---- code and configuration ------------------------------------------------------------------


def carry_change(run: ArmRun, entry: Entry, attempt: int = 0) -> Steps:
    """One change from its author's desk to production; sent back as often as something refuses it."""
    if attempt == 0:
        run.say(vocabulary.change_created(entry.name), entry.name, kind=entry.kind)
    while attempt < ATTEMPTS:
        refusal = yield from _unit_tests(run, entry)
        if not refusal and run.arm.has("version_control"):
            yield from run.wait("review", f"{entry.name}/{attempt}")
            run.say(vocabulary.change_reviewed(entry.name, approved=True), entry.name)
        if not refusal:
            refusal = yield from _integrate(run, entry)
        if not refusal:
            return
        attempt += 1
        if not (entry.active and entry.kind in FAULTY):  # it is not this change's fault: somebody finds whose it is
            yield from diagnose(run, f"{entry.name}/{attempt}")
            mend_head(run, refusal)
        yield from run.wait("fix", f"{entry.name}/{attempt}")
        entry = mended(entry)
        run.say(vocabulary.change_updated(entry.name), entry.name, refused_by=refusal)
    run.say(vocabulary.change_abandoned(entry.name), entry.name)


def mend_head(run: ArmRun, refused_by: str) -> None:
    """Take every defect out of the merged code, once somebody knows that it is there."""
    for other in run.head:
        if other.active and other.kind in FAULTY:
            run.head = with_entry(run.head, mended(other))
            run.say(vocabulary.change_updated(other.name), other.name, refused_by=refused_by)


def _unit_tests(run: ArmRun, entry: Entry) -> Steps:
    if not run.arm.has("ci"):
        return ""
    tested = run.stages.unit_tests(with_entry(run.head, entry))
    subject = f"unit-tests/{entry.name}"
    run.say(vocabulary.suiterun_started(subject, "unit tests", "ci"), entry.name)
    yield from run.spend(tested)
    run.say(
        vocabulary.suiterun_finished(subject, "unit tests", "ci", "failure" if tested.failed else "success"),
        entry.name,
        tests=tested.tests,
        failed=list(tested.failed),
        seconds=tested.seconds,
    )
    return "unit tests" if tested.failed else ""


def _integrate(run: ArmRun, entry: Entry) -> Steps:
    """Merge, train if the change asks for it, release. Returns what refused it, or an empty text."""
    if _needs_training(run, with_entry(run.head, entry)):
        yield from _start_of_training(run, entry.name)
    with run.line.request() as turn:
        yield turn
        earlier, latest = [other for other in run.head if other.name == entry.name], run.latest
        run.head = with_entry(run.head, entry)
        yield from merge(run, entry.name, f"{entry.name}: {entry.kind.replace('_', ' ')}")
        refusal = ""
        if _needs_training(run, run.head):
            refusal = yield from train(run, entry.name)
        if not refusal and run.arm.has("automated_deployment"):
            refusal = yield from release(run, (entry.name,))
        if refusal:
            # Only this change goes back: others may have been mended in the meantime.
            run.head = tuple(sorted([*(other for other in run.head if other.name != entry.name), *earlier]))
            forget_attempt(run, latest)
            yield from merge(run, entry.name, f"Revert {entry.name}: refused by {refusal}", reverts=True)
            return refusal
    if not run.arm.has("automated_deployment"):
        yield from hand_over(run, entry.name)
    return ""


def _needs_training(run: ArmRun, head: Head) -> bool:
    """Whether the model at hand was made by other code or configuration than there is now."""
    return run.stages.training_digest(head) != run.latest.code


def _start_of_training(run: ArmRun, about: str) -> Steps:
    """Without triggered retraining, somebody has to get to it."""
    if not run.arm.has("triggered_retraining"):
        yield from run.wait("manual_training", about)


def forget_attempt(run: ArmRun, latest: Model) -> None:
    """A refused model: with a registry the champion stays what training starts from."""
    if run.arm.has("registry"):
        run.latest = latest


def merge(run: ArmRun, name: str, message: str, reverts: bool = False) -> Steps:
    """Commit the head as it is now."""
    commit = run.stages.commit(run.head, message, run.scenario.moment(run.env.now))
    yield from run.spend(commit)
    subject = f"{name}/revert" if reverts else name
    run.say(vocabulary.change_merged(subject), name, sha=commit.sha, reverts=reverts)


# ---- data ------------------------------------------------------------------------------------


def carry_batch(run: ArmRun, happening: Happening) -> Steps:
    """A data batch from delivery to a model in production that has learned from it."""
    name = happening.name
    current: Happening | None = happening
    for attempt in range(ATTEMPTS):
        delivery = run.stages.deliver(
            current, name, run.world.domain(happening.time_h), int(run.scenario.data["batch_images"])
        )
        run.batches[delivery.batch], run.batch_names[delivery.batch] = current, name
        kind = happening.kind if current is not None else "mended"
        run.say(vocabulary.dataset_changed(name, delivery.batch, kind, delivery.images, attempt), name)
        refusal = yield from _validate(run, name, delivery.batch)
        if not refusal:
            refusal = yield from use_batch(run, name, delivery.batch)
        if not refusal:
            return
        if refusal == "training":  # somebody has to find out why it stopped, and what the message names is left out
            yield from diagnose(run, f"{name}/{attempt}")
            run.pool = tuple(batch for batch in run.pool if not _breaks_training(run, batch))
            if not _breaks_training(run, delivery.batch):
                continue
        yield from run.wait("batch_repair", f"{name}/{attempt}")
        current = None  # mended: the same images, labelled as they should be
    run.say(vocabulary.change_abandoned(name), name)


def _breaks_training(run: ArmRun, batch: str) -> bool:
    happening = run.batches.get(batch)
    return happening is not None and happening.kind == "broken_batch"


def _validate(run: ArmRun, name: str, batch: str) -> Steps:
    if not run.arm.has("data_validation"):
        return ""
    validated = run.stages.validate(batch)
    yield from run.spend(validated)
    outcome = "failure" if validated.problems else "success"
    run.say(vocabulary.dataset_validated(name, batch, outcome, validated.problems, validated.seconds), name)
    return "data validation" if validated.problems else ""


def use_batch(run: ArmRun, name: str, batch: str, hotfix: bool = False) -> Steps:
    """Add a batch to the pool, train with it and release. Returns what refused it, or an empty text."""
    yield from _start_of_training(run, name)
    with run.line.request() as turn:
        yield turn
        run.pool = (*(other for other in run.pool if other != batch), batch)
        latest = run.latest
        refusal = yield from train(run, name)
        if not refusal and run.arm.has("automated_deployment"):
            refusal = yield from release(run, (name,))
        if refusal:
            # Whoever was refused takes the batch back: it is known which one it was.
            run.pool = tuple(other for other in run.pool if other != batch)
            forget_attempt(run, latest)
            return refusal
    if not run.arm.has("automated_deployment"):
        yield from hand_over(run, name, hotfix)
    return ""


def train(run: ArmRun, name: str, parent: Model | None = None) -> Steps:
    """Tune a model on the pool; it becomes the latest. Returns ``"training"`` if there is none.

    It starts from the champion where there is a registry, else from the last attempt, unless somebody who knows
    better names another ``parent``.
    """
    parent = parent or (run.champion if run.arm.has("registry") else run.latest)
    head, pool = run.head, run.pool  # others may change them while it trains
    run.say(vocabulary.training_started(name, pool, parent.digest), name)
    trained = run.stages.train(name, head, pool, parent.digest)
    yield from run.spend(trained)
    run.say(
        vocabulary.training_finished(
            name,
            "failure" if trained.failure else "success",
            trained.seconds,
            trained.images,
            trained.model,
            trained.failure,
            metrics=trained.metrics,
        ),
        name,
    )
    if trained.failure:
        return "training"
    run.latest = Model(trained.model, run.stages.training_digest(head), pool, run.lineage(head, pool, parent))
    run.models.append(run.latest)
    return ""


# ---- release ---------------------------------------------------------------------------------


def release(run: ArmRun, names: tuple[str, ...]) -> Steps:
    """Package the head with the latest model and bring it into production, past every check the arm has.

    Returns what refused it, or an empty text. The caller holds the line.
    """
    chain = names[0]
    head, model = run.head, run.latest  # others may change them on the way
    packaged = run.stages.package(head, model.digest)
    yield from run.spend(packaged)
    run.say(
        vocabulary.artifact_packaged(purl(SERVICE, packaged.package), chain),
        chain,
        bytes=packaged.size_bytes,
        seconds=packaged.seconds,
        model=run.latest.digest,
    )
    for check in (_gate, _smoke_test, _canary):
        refusal = yield from check(run, packaged.package, chain)
        if refusal:
            return refusal
    return (yield from _deploy(run, packaged.package, model, head, names))


def _gate(run: ArmRun, package: str, chain: str) -> Steps:
    if not run.arm.has("evaluation_gate"):
        return ""
    evaluated = run.stages.evaluate(package, run.acceptance)
    yield from run.spend(evaluated)
    compared = run.stages.compare(package, run.release.package, run.acceptance)
    yield from run.spend(compared)
    run.say(
        vocabulary.evaluation_finished(
            purl(SERVICE, package), evaluated.map50, evaluated.low, evaluated.high, evaluated.images, evaluated.seconds
        ),
        chain,
    )
    if compared.passed:
        return ""
    run.say(
        vocabulary.model_rejected(
            run.latest.digest,
            package,
            compared.reason,
            champion=run.release.package,
            difference=compared.difference,
            low=compared.low,
            high=compared.high,
        ),
        chain,
    )
    return "evaluation gate"


def _smoke_test(run: ArmRun, package: str, chain: str) -> Steps:
    if not run.arm.has("automated_deployment"):
        return ""
    return (yield from _checked(run, "smoke-test", chain, lambda: run.stages.smoke_test(package)))


def _canary(run: ArmRun, package: str, chain: str) -> Steps:
    if not run.arm.has("canary"):
        return ""
    window = f"{run.effort.seed}/canary/{chain}"
    yield run.env.timeout(run.scenario.controls["canary_h"])
    return (
        yield from _checked(
            run, "canary", chain, lambda: run.stages.canary(package, run.release.package, run.domain(), window)
        )
    )


def _checked(run: ArmRun, task: str, chain: str, stage) -> Steps:
    name = f"{task}/{chain}"
    run.say(vocabulary.taskrun_started(name, task), chain)
    checked = stage()
    yield from run.spend(checked)
    outcome = "success" if checked.passed else "failure"
    run.say(vocabulary.taskrun_finished(name, task, outcome, checked.reason), chain, seconds=checked.seconds)
    return "" if checked.passed else task.replace("-", " ")


def _deploy(run: ArmRun, package: str, model: Model, head: Head, names: tuple[str, ...]) -> Steps:
    deployed = run.stages.deploy(package)
    yield from run.spend(deployed)
    if not deployed.passed:
        return "deployment"
    run.deployments += 1
    run.releases.append(Release(run.deployments, package, model, head, names, run.env.now))
    run.say(
        vocabulary.service_upgraded(SERVICE, PRODUCTION, purl(SERVICE, package)),
        names[0],
        release=run.deployments,
        changes=list(names),
        seconds=deployed.seconds,
        model=model.digest,
    )
    if run.arm.has("registry"):
        run.say(vocabulary.model_promoted(model.digest, package), names[0])
    for name in names:
        if name in run.waiting and not run.waiting[name].triggered:
            run.waiting[name].succeed()
    run.change_state()
    return ""


# ---- by hand ---------------------------------------------------------------------------------


def hand_over(run: ArmRun, name: str, hotfix: bool = False) -> Steps:
    """Without automated deployment: hand over, then wait for the deployment day (a hot fix does not)."""
    deployed = run.waiting.setdefault(name, run.env.event())
    yield from run.wait("handover", name)
    if hotfix:
        yield from deploy_by_hand(run)
    if not deployed.triggered:
        yield deployed
    run.waiting.pop(name, None)


def deployment_days(run: ArmRun) -> Steps:
    """Once in every deployment window somebody deploys what has piled up."""
    while True:
        moment = run.scenario.moment(run.env.now)
        yield run.env.timeout(max(run.effort.hours("deployment_window", "", moment), 1e-3))
        if any(not deployed.triggered for deployed in run.waiting.values()):
            yield from deploy_by_hand(run)
        yield run.env.timeout(1.0)


def deploy_by_hand(run: ArmRun) -> Steps:
    """Deploy the head with the latest model, and with it everything that was waiting for it."""
    yield from run.wait("manual_deployment", f"deployment-{run.deployments + 1}")
    with run.line.request() as turn:
        yield turn
        for attempt in range(ATTEMPTS):
            names = tuple(sorted(name for name, deployed in run.waiting.items() if not deployed.triggered))
            if not names:
                return
            refusal = yield from release(run, names)
            if not refusal:
                return
            # Somebody has to find out why, mends it and tries again.
            yield from diagnose(run, f"{names[0]}/{attempt}")
            mend_head(run, refusal)
            yield from drop_bad_batches(run)
            if run.latest.lineage:
                yield from recover_model(run, names[0])
                yield from train(run, names[0], run.last_good)


def diagnose(run: ArmRun, about: str) -> Steps:
    """Somebody looks for a cause."""
    known = run.arm.has("tracking")
    yield from run.wait("diagnosis_tracked" if known else "diagnosis_untracked", about)


def is_bad(run: ArmRun, batch: str) -> bool:
    """Truth: whether a batch in the pool is faulty."""
    happening = run.batches.get(batch)
    return happening is not None and happening.kind in FAULTY


def drop_bad_batches(run: ArmRun) -> Steps:
    """Take out what is bad in the pool, once somebody knows; without versions of the data it has to be sorted out."""
    bad = [batch for batch in run.pool if is_bad(run, batch)]
    if not bad:
        return
    if not run.arm.has("data_versioning"):
        yield from run.wait("data_recovery", "+".join(run.batch_names[batch] for batch in bad))
    run.pool = tuple(batch for batch in run.pool if batch not in bad)
    for batch in bad:
        name = run.batch_names[batch]
        run.say(vocabulary.dataset_changed(name, batch, "removed"), name)


def recover_model(run: ArmRun, about: str) -> Steps:
    """Find the last model that was good; a registry knows it."""
    if not run.arm.has("registry"):
        yield from run.wait("model_recovery", about)
