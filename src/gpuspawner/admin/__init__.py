"""What the admins' page shows: who may have what, by which rule, and what an edit would change.

Pure values of what `gpuspawner.access` finds; the words are in the language spoken.
"""

from __future__ import annotations

from gpuspawner.admin.checking import checked, stepped
from gpuspawner.admin.drafting import LISTS, Draft, RuleFields, read_rules, written_rules
from gpuspawner.admin.entries import PresentedEntry, present_entries, present_entry_reasons
from gpuspawner.admin.history import PresentedRevision, present_history, present_revision
from gpuspawner.admin.overview import Overview, Row, Search, is_asked_for, present_overview
from gpuspawner.admin.previewing import PresentedPreview, present_preview, previewed
from gpuspawner.admin.reasons import AskedAgain, PresentedReason, groups_as_of, present_reasons
from gpuspawner.admin.saying import change_in_words, grant_in_words, rule_in_words
from gpuspawner.admin.warning import (
    PresentedProblem,
    PresentedRemark,
    present_faults,
    present_misplaced,
    present_problems,
    present_remarks,
)

__all__ = [
    "LISTS",
    "AskedAgain",
    "Draft",
    "Overview",
    "PresentedEntry",
    "PresentedPreview",
    "PresentedProblem",
    "PresentedReason",
    "PresentedRemark",
    "PresentedRevision",
    "Row",
    "RuleFields",
    "Search",
    "change_in_words",
    "checked",
    "grant_in_words",
    "groups_as_of",
    "is_asked_for",
    "present_entries",
    "present_entry_reasons",
    "present_faults",
    "present_history",
    "present_misplaced",
    "present_overview",
    "present_preview",
    "present_problems",
    "present_reasons",
    "present_remarks",
    "present_revision",
    "previewed",
    "read_rules",
    "rule_in_words",
    "stepped",
    "written_rules",
]
