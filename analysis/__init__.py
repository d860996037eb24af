"""Research workbench: does integrating DevOps and MLOps make ML software development more efficient?

Layers, lowest first; a module imports from its own layer or from lower ones only
(``tests/test_layers.py`` checks it)::

    base → stats → plots → {literature | maturity | survey} → reporting → __main__
"""
