"""An executor whose outcomes follow from what is in a package: for tests of the world alone, in milliseconds.

Quality is a number that a package has under the line as it is; nothing is trained. Tests of what the
practices really catch run the live executor (`test_practices.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from analysis.experiment.stages import (
    Checked,
    Commit,
    Compared,
    Delivery,
    Evaluated,
    Observed,
    Packaged,
    Tested,
    Trained,
    Validated,
    Verdict,
)

GOOD, BAD = 0.85, 0.2


@dataclass
class SimpleStages:
    seed: int = 0
    models: dict = field(default_factory=dict)
    packages: dict = field(default_factory=dict)
    batches: dict = field(default_factory=dict)
    windows: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)

    def training_digest(self, head):
        names = [e.name for e in head if e.active and e.kind in ("silent_label_bug", "bad_hyperparameters")]
        return "+".join(names) or "clean"

    def commit(self, head, message, moment):
        return Commit(0.1, f"sha{len(self.calls)}", "tree")

    def unit_tests(self, head):
        failed = tuple(e.name for e in head if e.active and e.kind == "preprocessing_bug")
        return Tested(2.0, 30, failed)

    def deliver(self, happening, name, domain, images):
        kind = happening.kind if happening else "good_batch"
        batch = f"{name}:{kind}"
        self.batches[batch] = (kind, domain)
        return Delivery(1.0, batch, images)

    def divide(self, batch, share):
        self.batches[batch + "/a"] = self.batches[batch + "/b"] = self.batches[batch]
        return batch + "/a", batch + "/b"

    def validate(self, batch):
        return Validated(0.1, ("a box outside its image",) if self.batches[batch][0] == "broken_batch" else ())

    def train(self, name, head, pool, weights):
        kinds = [self.batches[batch][0] for batch in pool]
        if "broken_batch" in kinds:
            return Trained(3.0, "", "unknown class", 100, {})
        bad = "mislabelled_batch" in kinds or self.training_digest(head) != "clean"
        seen = frozenset(self.batches[batch][1] for batch in pool)
        model = f"model{len(self.models)}"
        self.models[model] = (bad, seen)
        return Trained(5.0, model, "", 100, {"loss": 1.0})

    def package(self, head, model):
        kinds = frozenset(e.kind for e in head if e.active)
        package = f"package{len(self.packages)}"
        self.packages[package] = (self.models[model], kinds)
        return Packaged(0.5, package, 1000)

    def quality(self, package, domain):
        (bad, seen), kinds = self.packages[package]
        wrong = bad or {"silent_serving_bug", "preprocessing_bug"} & kinds
        close = any(abs(d.light - domain.light) + abs(d.new_product - domain.new_product) < 0.3 for d in seen)
        return BAD if wrong or not close else GOOD

    def evaluate(self, package, batches):
        value = sum(self.quality(package, self.batches[b][1]) for b in batches) / len(batches)
        return Evaluated(0.5, value, value - 0.05, value + 0.05, 100, package)

    def compare(self, candidate, champion, batches):
        difference = self.evaluate(candidate, batches).map50 - self.evaluate(champion, batches).map50
        return Compared(0.1, difference, difference - 0.03, difference + 0.03, difference > -0.05, "")

    def smoke_test(self, package):
        return Checked(0.2, True, "")

    def canary(self, package, stable, domain, window):
        bad = {"crash", "latency_regression"} & self.packages[package][1]
        return Checked(0.5, not bad, "+".join(bad))

    def deploy(self, package):
        return Checked(0.3, True, "")

    def observe(self, package, domain, window):
        kinds = self.packages[package][1]
        self.windows[window + package] = (package, domain)
        errors = 0.3 if "crash" in kinds else 0.0
        latency = 0.2 if "latency_regression" in kinds else 0.01
        return Observed(1.0, 64, self.quality(package, domain), errors, latency, 0.8, window + package)

    def pooled_map50(self, windows):
        return sum(self.quality(*self.windows[w]) for w in windows) / len(windows)

    def service_verdict(self, window):
        bad = {"crash", "latency_regression"} & self.packages[self.windows[window][0]][1]
        return Verdict(0.0, bool(bad), 1.0, 0.0, "+".join(bad))

    def drift_verdict(self, reference, package, windows):
        expected, now = self.batches[reference][1], self.windows[windows[-1]][1]
        moved = abs(expected.light - now.light) + abs(expected.new_product - now.new_product)
        return Verdict(0.0, moved > 0.2, moved, 0.2, "light")

    def quality_verdict(self, target, windows):
        value = self.pooled_map50(windows)
        return Verdict(0.0, value < target - 0.1, value, target, "quality")
