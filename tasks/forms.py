"""Forms that managers fill in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms.models import BaseInlineFormSet

from tasks import controls, services
from tasks.models import (
    LEAST_REGULARIZATION,
    LIVE_METHODS,
    Category,
    Offer,
    Platform,
    PracticeWord,
    Project,
    ProjectState,
)
from tasks.names import MOST_BYTES, MOST_NAMES, NamesError, is_name, read_names

WIDE = {"class": "vLargeTextField"}


class ProjectForm(forms.ModelForm[Project]):
    class Meta:
        widgets = {
            "name": forms.TextInput(WIDE),
            "question": forms.TextInput(WIDE),
            "pay_note": forms.TextInput(WIDE),
            "instructions": forms.Textarea(WIDE | {"rows": 6}),
            "consent": forms.Textarea(WIDE | {"rows": 5}),
            "privacy": forms.Textarea(WIDE | {"rows": 3}),
            "excluded_projects": forms.CheckboxSelectMultiple(),
        }
        help_texts = {
            "screening_percent": "In per cent: the share of the test's answers that must be right "
            "before somebody may begin. Empty: no test.",
            "excluded_projects": "Who took part in one of these gets no work here.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "excluded_projects" in self.fields:
            others = Project.objects.exclude(pk=self.instance.pk)
            self.fields["excluded_projects"].queryset = others  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Refuse what the fields allow one by one, but not together."""
        data = {**(super().clean() or {})}
        instance = self.instance

        def value(name: str) -> Any:
            return data.get(name) if name in self.fields else getattr(instance, name)

        if value("keyword_count") == 0 and value("document_count") == 0:
            self.add_error(None, "Ask about at least one keyword or one document.")
        if value("document_count") and value("pool_corpus") is None:
            message = "Without a pool of target documents there are none to label: enter 0."
            self.add_error("document_count" if "document_count" in self.fields else None, message)
        has_both = value("keyword_count") and value("document_count")
        if value("is_adaptive") and not (has_both and value("batch_size")):
            message = "An adaptive mix needs keywords, documents, and a batch size: its blocks."
            self.add_error("is_adaptive" if "is_adaptive" in self.fields else None, message)
        strength = data.get("regularization")
        least = LEAST_REGULARIZATION.get(data.get("method", ""))
        if least is not None and strength is not None and strength <= least:
            self.add_error("regularization", f"This method needs more than {least:g}.")
        if value("live") and data.get("method", "") not in LIVE_METHODS:
            able = ", ".join(LIVE_METHODS)
            self.add_error("method", f"This method cannot refine live. These can: {able}.")
        self._check_languages(value)
        self._check_translations(value)
        if value("state") == ProjectState.OPEN and instance.ranking_id is None:
            self.add_error("state", "It opens by itself when it is prepared; leave it a draft.")
        return data

    def _check_languages(self, value: Callable[[str], Any]) -> None:
        """Refuse documents whose words are not those of the vectors."""
        if (embedding := value("embedding")) is None:
            return
        for name, vocabulary_id in (
            ("train_corpus", embedding.source_id),
            ("test_corpus", embedding.target_id),
            ("pool_corpus", embedding.target_id),
        ):
            corpus = value(name)
            if name in self.fields and corpus and corpus.vocabulary_id != vocabulary_id:
                self.add_error(name, "These documents are not in the embedding's vocabulary.")

    def clean_known_translations(self) -> str:
        text: str = self.cleaned_data["known_translations"]
        try:
            controls.read_translations(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def _check_translations(self, value: Callable[[str], Any]) -> None:
        """Refuse known translations of words that nobody can be shown."""
        text, embedding = self.cleaned_data.get("known_translations"), value("embedding")
        if text and embedding:
            for sentence in controls.unknown_words(controls.read_translations(text), embedding):
                self.add_error("known_translations", sentence)


class CategoryForm(forms.ModelForm[Category]):
    class Meta:
        widgets = {"description": forms.Textarea({"rows": 2, "cols": 60})}


class PracticeWords(BaseInlineFormSet[PracticeWord, Project, forms.ModelForm[PracticeWord]]):
    """The words beside a practice keyword; neither is of use without the other."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        keyword = self.instance.practice_keyword
        kept = [form for form in self.forms if form.cleaned_data and not self._is_deleted(form)]
        if kept and not keyword:
            raise forms.ValidationError(
                "These words have no practice keyword: enter it under “What annotators read”, "
                "or delete the words."
            )
        if keyword and not kept:
            raise forms.ValidationError(
                f"“{keyword}” has no words to practise on: add some here, or leave the practice "
                "keyword empty for a general example."
            )
        if self.instance.screening_percent and not kept:
            raise forms.ValidationError(
                "The screening test is made of practice words: enter a practice keyword and words, "
                "or leave the pass mark empty."
            )

    def _is_deleted(self, form: forms.ModelForm[PracticeWord]) -> bool:
        return bool(self.can_delete and form.cleaned_data.get("DELETE"))


class LinksForm(forms.Form):
    """How many people, or which."""

    number = forms.IntegerField(
        label="How many people",
        required=False,
        min_value=1,
        max_value=MOST_NAMES,
        help_text="They are called link-1, link-2, …",
    )
    names = forms.CharField(
        label="Or their names",
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "cols": 40}),
        help_text="One a line. Somebody who has a link already keeps it.",
    )
    file = forms.FileField(
        label="Or a file of names",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=f"CSV in UTF-8, a person a line, at most {MOST_NAMES}. Names stand in the first "
        "column, or in the one with the heading “name”; other columns are not kept.",
    )

    def clean_names(self) -> list[str]:
        lines = (line.strip() for line in self.cleaned_data["names"].splitlines())
        names = list(dict.fromkeys(line for line in lines if line))
        for name in names:
            if not is_name(name):
                raise forms.ValidationError(f"{name[:100]!r} cannot be a name")
        return names

    def clean_file(self) -> list[str]:
        """Return the names in the file."""
        file: UploadedFile[Any] | None = self.cleaned_data["file"]
        if file is None:
            return []
        try:
            return read_names(file.read(MOST_BYTES + 1))
        except NamesError as error:
            raise forms.ValidationError(list(error.errors)) from error

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        given = [field for field in self.fields if data.get(field)]
        if not self.errors and len(given) != 1:
            raise forms.ValidationError("Give one of these: a number, names, or a file.")
        return data

    def worker_ids(self, project: Project) -> list[str]:
        """Return who is to get a link."""
        names: list[str] = self.cleaned_data["names"] or self.cleaned_data["file"]
        return names or services.next_worker_ids(project, self.cleaned_data["number"])


class OfferForm(forms.ModelForm[Offer]):
    """The terms on a platform. They hold for what is published from now on."""

    class Meta:
        labels = {
            "reward_cents": "Reward (cents)",
            "minutes_allowed": "Minutes allowed",
            "review_hours": "Hours to review",
            "approval_percent": "Approved before (%)",
            "approved_count": "HITs approved before",
        }
        help_texts = {
            "days_open": "how long people can take a place",
            "layout": "Mechanical Turk takes 20 % of a reward, and 40 % in a HIT of ten places or "
            "more; the page “Publish on a platform” shows what each comes to. Prolific has no HITs "
            "of ten and takes the same for each",
            "needs_masters": "Mechanical Turk takes 5 % more",
        }
        widgets = {
            "title": forms.TextInput(WIDE),
            "description": forms.Textarea(WIDE | {"rows": 3}),
            "search_words": forms.TextInput(WIDE),
            "countries": forms.TextInput(WIDE),
        }

    def clean(self) -> dict[str, Any]:
        """Refuse terms that nobody could keep, or that a platform does not know."""
        data = {**(super().clean() or {})}
        budget = self.instance.project.session_minutes if self.instance.project_id else None
        allowed = data.get("minutes_allowed")
        if budget and allowed and allowed < budget:
            text = f"The project's time budget is {budget} minutes: allow at least as many."
            self.add_error("minutes_allowed", text)
        if data.get("needs_masters") and data.get("platform") != Platform.MTURK:
            self.add_error("needs_masters", "Only Mechanical Turk has Masters.")
        tested = data.get("screened_in")
        if tested and tested.screening_percent is None:
            self.add_error(
                "screened_in", "That project has no screening test: it has no pass mark."
            )
        return data
