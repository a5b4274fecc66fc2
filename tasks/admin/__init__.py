"""Admin pages of projects, the work made from them, and who has it."""

from tasks.admin.consents import ConsentVersionAdmin
from tasks.admin.hits import AssignmentAdmin, HITAdmin
from tasks.admin.people import BlockAdmin, MessageAdmin, QualificationAdmin, ScreeningAdmin
from tasks.admin.platforms import (
    LedgerEntryAdmin,
    ListingAdmin,
    PlatformCallAdmin,
    PlatformEventAdmin,
)
from tasks.admin.projects import ProjectAdmin

__all__ = [
    "AssignmentAdmin",
    "BlockAdmin",
    "ConsentVersionAdmin",
    "HITAdmin",
    "LedgerEntryAdmin",
    "ListingAdmin",
    "MessageAdmin",
    "PlatformCallAdmin",
    "PlatformEventAdmin",
    "ProjectAdmin",
    "QualificationAdmin",
    "ScreeningAdmin",
]
