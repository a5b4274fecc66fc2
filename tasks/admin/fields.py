"""The fields of a project's page in their sections, and which of them stay as they are."""

from __future__ import annotations

from typing import Any

# Preparation makes HITs of these, and HITs that people were given stay as they are.
HITS_ARE_MADE_OF = (
    "embedding",
    "train_corpus",
    "test_corpus",
    "pool_corpus",
    "keyword_count",
    "neighbour_count",
    "document_count",
    "batch_size",
    "is_adaptive",
    "document_strategy",
    "is_diverse",
    "classifier",
)
# Who was given a link is asked in one way to the end, and all of a project in the same.
FIXED_ONCE_OFFERED = (*HITS_ARE_MADE_OF, "answer_form", "live")
CONTROLS = ("control_identical", "control_translations", "control_random", "known_translations")

SECTIONS: tuple[tuple[str | None, Any], ...] = (
    (None, {"fields": ("name", "slug", "state")}),
    (
        "Where it stands",
        {"fields": ("preparation", "free_places", "problems", "report", "links", "work")},
    ),
    (
        "Data",
        {
            "description": "Which vectors and documents. Fixed once somebody has a link.",
            "fields": (
                "embedding",
                "train_corpus",
                "test_corpus",
                "pool_corpus",
                "annotator_file",
            ),
        },
    ),
    (
        "What annotators read",
        {
            "description": "Changes show on the next page that an annotator opens. The texts that "
            "are there from the start are shown in the annotator's own language; yours as you "
            "write them. Of consent text and privacy sentence every version that somebody agreed "
            "to is kept: who has agreed is not asked again, and their session names the version.",
            "fields": (
                "question",
                "instructions",
                "consent",
                "privacy",
                "consent_versions",
                "pay_note",
                "practice_keyword",
            ),
        },
    ),
    (
        "What annotators are asked",
        {
            "description": "Used when the project is prepared, as often as you like until "
            "somebody has a link; fixed from then on. The time budget may still change, and its "
            "limit holds at once, in open sessions too; but whether keywords and documents take "
            "turns is settled when HITs are made.",
            "fields": (
                "answer_form",
                "keyword_count",
                "neighbour_count",
                "document_count",
                "batch_size",
                "session_minutes",
                "is_adaptive",
                "document_strategy",
                "is_diverse",
            ),
        },
    ),
    (
        "Sessions",
        {
            "description": "Who has submitted a session is offered the next one, made from "
            "their own refined vectors. A change holds for sessions processed from now on.",
            "fields": ("session_count", "pause_hours", "repeats_keywords", "refine_from"),
        },
    ),
    (
        "Consensus",
        {
            "description": "What all annotators say together, and the vectors that it makes.",
            "fields": ("consensus_method", "consensus_delay_s"),
        },
    ),
    (
        "Care and controls",
        {
            "description": "Control words are words whose answers are known. They tell how "
            "carefully people answer, and move nothing. They are placed when the project is "
            "prepared, and again for each later session; a keyword gets one at most.",
            "fields": (
                "control_identical",
                "control_translations",
                "control_random",
                "known_translations",
                "controls_placed",
                "fastest_answer_s",
            ),
        },
    ),
    (
        "Places",
        {
            "description": "A higher overlap makes places free at once; "
            "the hours apply to links made from now on.",
            "fields": ("overlap", "session_hours"),
        },
    ),
    (
        "Who may take part",
        {
            "description": "On every platform and by direct links. The test is made of the "
            "practice words, without telling right and wrong, and taken once before the first "
            "page: have many, some to accept and some to reject. Who has begun is not tested. "
            "Blocked people have a list of their own.",
            "fields": ("excluded_projects", "screening_percent"),
        },
    ),
    (
        "Cost",
        {
            "description": "Pay and currency are for the reports (accuracy per hour and per unit "
            "of money) and, where an offer names no reward, for its reward.",
            "fields": ("hourly_pay", "currency", "spend_limit_cents"),
        },
    ),
    (
        "Learning",
        {
            "description": "The classifier and live are fixed once somebody has a link, "
            "because they choose what people are shown. The other settings are used for the "
            "next session that is processed; to apply them to earlier ones, re-run those "
            "sessions.",
            "fields": (
                "classifier",
                "seeds",
                "curve_step",
                "curve_seeds",
                "method",
                "regularization",
                "learning_rate",
                "iterations",
                "live",
            ),
        },
    ),
)
