"""Lists the programs of the course, or runs them: python -m examples.course --help."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import course
import lecture

lecture.run(course.main)
