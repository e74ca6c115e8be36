"""Files that the benchmarks read and renew."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUDGET = os.path.join(ROOT, "test", "bench", "budget.json")
PAGE = os.path.join(ROOT, "docs", "performance.md")
README = os.path.join(ROOT, "README.md")
PLOT = os.path.join(ROOT, "docs", "performance.svg")
