"""Lessons, but for their cells: their order, stubs, cards and syllabus; and a new one, renamed or retired."""
