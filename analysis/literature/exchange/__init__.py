"""Exchange with programs for qualitative analysis: REFI-QDA 1.5 codebooks (``.qdc``) and projects (``.qdpx``).

The standard is that of the Rotterdam Exchange Format Initiative, www.qdasoftware.org. Reading is
tolerant of what programs write and strict about what could harm; writing is valid under the schema
and the same byte for byte. What has no place on the other side is said, never dropped in silence
(the standard, §7, asks for that).

- `export_project`, `import_project`: our tables → ``.qdpx``, any ``.qdpx`` → `Project`
- `export_codebook`, `import_codebook`: the same for a codebook alone
- `project_tables`, `codebook_table`: what was read → our tables
"""

from analysis.literature.exchange.export import export_codebook, export_project
from analysis.literature.exchange.model import Codebook, Project, Tables
from analysis.literature.exchange.reading import import_codebook, import_project
from analysis.literature.exchange.tables import codebook_table, load_tables, project_tables

__all__ = [
    "Codebook",
    "Project",
    "Tables",
    "codebook_table",
    "export_codebook",
    "export_project",
    "import_codebook",
    "import_project",
    "load_tables",
    "project_tables",
]
