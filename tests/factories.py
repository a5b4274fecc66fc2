"""Small, complete projects, put straight into the database: no vectors, no training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import count
from statistics import mean, stdev

from django.utils import timezone

from annotation.models import Annotator, Consensus, ConsensusMember, ConsensusPair, Session
from models_ml.core.findings import (
    ArmFigures,
    ChangedDocument,
    ClassFigures,
    Findings,
    KeywordChange,
    KeywordMap,
    MapWord,
    Movement,
    Near,
    Pair,
    Test,
)
from models_ml.models import (
    Artefact,
    Corpus,
    CurvePoint,
    Document,
    Embedding,
    Keyword,
    Neighbour,
    Occurrence,
    Ranking,
    Report,
    ReportArm,
    Run,
    SeedResult,
    Vocabulary,
    Word,
    fold,
)
from tasks import services as tasks_services
from tasks.crowd import offers
from tasks.models import HIT, Assignment, Category, LedgerEntry, Listing, Project, ProjectState
from tasks.platforms.direct import DirectLink

ENGLISH = "hospital nurse medicine fever vaccine doctor injury water election market river score"
SWAHILI = "hospitali muuguzi dawa homa chanjo daktari jeraha maji uchaguzi soko mto bao"

_numbers = count(1)


def _unique_key() -> str:
    return hashlib.sha256(str(next(_numbers)).encode()).hexdigest()


def make_artefact(suffix: str = ".npy") -> Artefact:
    """Return the row of a file that does not exist: pages never open one."""
    return Artefact.objects.create(sha256=_unique_key(), suffix=suffix, size=0)


def make_vocabulary(
    words: Sequence[str], *, language: str = "English", tag: str = "en", direction: str = "ltr"
) -> Vocabulary:
    """Return a vocabulary of these words, the most frequent first."""
    vocabulary = Vocabulary.objects.create(
        language=language,
        tag=tag,
        direction=direction,
        words_file=make_artefact(".txt"),
        matrix_file=make_artefact(),
        word_count=len(words),
        dim=2,
        key=_unique_key(),
    )
    Word.objects.bulk_create(
        Word(vocabulary=vocabulary, row=row, text=text, search_key=fold(text))
        for row, text in enumerate(words)
    )
    return vocabulary


def make_corpus(
    vocabulary: Vocabulary, texts: Sequence[str], *, labels: Sequence[int] | None = None
) -> Corpus:
    """Return a corpus of these texts, with every place where a word of the vocabulary stands."""
    corpus = Corpus.objects.create(
        name=f"{vocabulary.language} texts",
        vocabulary=vocabulary,
        sha256=_unique_key(),
        document_count=len(texts),
    )
    words = {word.text: word for word in vocabulary.words.all()}
    for number, text in enumerate(texts):
        label = labels[number] if labels else None
        document = Document.objects.create(corpus=corpus, number=number, text=text, label=label)
        places = {token: place for place, token in reversed(list(enumerate(text.split(" "))))}
        Occurrence.objects.bulk_create(
            Occurrence(word=words[token], document=document, position=place)
            for token, place in places.items()
            if token in words
        )
    return corpus


def make_project(
    *,
    keywords: int = 3,
    documents: int = 0,
    neighbours: int = 2,
    source_words: Sequence[str] = tuple(ENGLISH.split()),
    target_words: Sequence[str] = tuple(SWAHILI.split()),
    target_language: tuple[str, str, str] = ("Swahili", "sw", "ltr"),
    source_texts: Sequence[str] = ("the nurse gave medicine", "a nurse at the hospital"),
    target_texts: Sequence[str] = ("muuguzi alitoa dawa", "muuguzi wa hospitali"),
    **fields: object,
) -> Project:
    """Return an open project with its HITs: keywords first, then documents.

    The i-th keyword is the i-th source word; its neighbours are the words that follow it in each
    vocabulary. Vocabularies too short for that are filled up with invented words.
    """
    need = keywords + neighbours + 1
    source = make_vocabulary(_filled(source_words, need, "word"))
    language, tag, direction = target_language
    target = make_vocabulary(
        _filled(target_words, need, "neno"), language=language, tag=tag, direction=direction
    )
    pool_texts = [*target_texts, *(f"maandishi namba {n}" for n in range(documents))][
        : max(documents, len(target_texts))
    ]
    embedding = Embedding.objects.create(source=source, target=target, key=_unique_key())
    train = make_corpus(source, source_texts, labels=[n % 2 for n in range(len(source_texts))])
    pool = make_corpus(target, pool_texts)
    ranking = Ranking.objects.create(
        embedding=embedding, corpus=train, classifier=make_artefact(), key=_unique_key()
    )
    project = Project.objects.create(
        **{
            "name": "Emergency or not",
            "slug": f"project-{next(_numbers)}",
            "state": ProjectState.OPEN,
            "embedding": embedding,
            "train_corpus": train,
            "pool_corpus": pool,
            "ranking": ranking,
            "keyword_count": keywords,
            "document_count": documents,
            "neighbour_count": neighbours,
            **fields,
        }
    )
    Category.objects.create(
        project=project, label=1, name="Emergency", description="Someone needs help at once."
    )
    Category.objects.create(project=project, label=0, name="Other", description="All other texts.")
    tasks_services.create_hits(
        project,
        keywords=make_keywords(ranking, count=keywords, neighbours=neighbours),
        documents=list(pool.documents.all()[:documents]),
    )
    return project


def _filled(words: Sequence[str], length: int, stem: str) -> list[str]:
    return [*words, *(f"{stem}{n}" for n in range(length - len(words)))]


def make_keywords(ranking: Ranking, *, count: int, neighbours: int) -> list[Keyword]:
    """Return the first source words as keywords, each beside the words that follow it."""
    source = list(ranking.embedding.source.words.order_by("row"))
    target = list(ranking.embedding.target.words.order_by("row"))
    keywords = []
    for row in range(count):
        keyword = Keyword.objects.create(
            ranking=ranking, word=source[row], position=row + 1, salience=float(count - row)
        )
        near_source = source[row + 1 : row + 1 + neighbours]
        near_target = target[row : row + neighbours]
        Neighbour.objects.bulk_create(
            Neighbour(keyword=keyword, word=word, position=place, cosine=1 / place)
            for near in (near_source, near_target)
            for place, word in enumerate(near, start=1)
        )
        keywords.append(keyword)
    return keywords


def make_link(project: Project, worker_id: str = "amina") -> Assignment:
    """Return a person's assignment of the project's first HIT."""
    return tasks_services.make_links(project, [worker_id])[0]


def token_of(assignment: Assignment) -> str:
    """Return the token in an assignment's link."""
    return DirectLink().token(assignment)


def make_listing(where: Project | HIT, *, platform: str = "mturk", **fields: object) -> Listing:
    """Return an open listing of a HIT, or of a project's first one, as if it had been published.

    It is in the sandbox, with as many places as people are to answer.
    """
    hit = where if isinstance(where, HIT) else offers.copies(where, platform)[0]
    number = next(_numbers)
    given: dict[str, object] = {
        "mode": "sandbox",
        "endpoint": "https://mturk-requester-sandbox.us-east-1.amazonaws.com",
        "region": "us-east-1",
        "places": hit.project.overlap,
        "reward_cents": 50,
        "fee_cents": 10,
        "minutes_allowed": 60,
        "state": "open",
        "platform_id": f"3HIT{number}",
        "group_id": f"3GROUP{number}",
    }
    return Listing.objects.create(hit=hit, platform=hit.platform, **(given | fields))


def make_entry(listing: Listing, **fields: object) -> LedgerEntry:
    """Return a row of the ledger: by default the promised reward of a place of a listing."""
    given: dict[str, object] = {
        "kind": "reward",
        "cents": listing.reward_cents,
        "fee_cents": listing.fee_cents,
    }
    return LedgerEntry.objects.create(
        project=listing.hit.project,
        platform=listing.platform,
        mode=listing.mode,
        listing=listing,
        **(given | fields),
    )


def make_run(
    project: Project,
    accuracies: Sequence[float] = (0.7, 0.8),
    *,
    seeds: int | None = None,
    half_width: float = 0.02,
    embedding: Embedding | None = None,
) -> Run:
    """Return a run on the project's training corpus, finished unless it wants more seeds.

    half_width: of its interval, which is not computed from the accuracies.
    """
    seeds = len(accuracies) if seeds is None else seeds
    run = Run.objects.create(
        embedding=embedding or project.embedding,
        train_corpus=project.train_corpus,
        test_corpus=project.test_corpus or project.pool_corpus,
        seeds=seeds,
        key=_unique_key(),
    )
    for seed, accuracy in enumerate(accuracies):
        SeedResult.objects.create(run=run, seed=seed, accuracy=accuracy)
    if len(accuracies) == seeds:
        run.mean, run.std = mean(accuracies), stdev(accuracies)
        run.low, run.high = run.mean - half_width, run.mean + half_width
        run.finished_at = timezone.now()
        run.save()
    return run


def make_session(
    project: Project, worker_id: str = "amina", *, is_submitted: bool = True, minutes: float = 30
) -> Session:
    """Return a person's session of a project, with their assignment."""
    assignment = make_link(project, worker_id)
    now = timezone.now()
    if is_submitted:
        tasks_services.submit(assignment)
    annotator, _ = Annotator.objects.get_or_create(platform="direct", worker_id=worker_id)
    return Session.objects.create(
        project=project,
        annotator=annotator,
        consented_at=now,
        active_seconds=60 * minutes,
        state="submitted" if is_submitted else "open",
        submitted_at=now if is_submitted else None,
    )


def make_report(session: Session, **runs: Run) -> Report:
    """Return the report of a session, of one run an arm: `make_report(session, base=run)`."""
    report = Report.objects.create()
    for arm, run in runs.items():
        ReportArm.objects.create(report=report, arm=arm, run=run)
    session.report = report
    session.save()
    return report


def make_findings(report: Report, **parts: object) -> Findings:
    """Describe a report of CLIME beside Base: a little of everything, with other parts as asked."""
    words = (
        MapWord("nurse", "source", "keyword", (0.0, 0.0), (0.0, 0.5)),
        MapWord("muuguzi", "target", "accept", (4.0, 3.0), (0.5, 0.5)),
        MapWord("soko", "target", "reject", (1.0, 0.0), (-4.0, -2.0)),
        MapWord("medicine", "source", "", (-2.0, 1.0), (-2.0, 1.5)),
    )
    near = Near("target", (("soko", 0.61), ("maji", 0.6)), (("muuguzi", 0.9), ("maji", 0.58)))
    against = Pair("nurse", "maji", "target", 1, 1.0, 0.6, 0.58)
    text = "muuguzi alitoa dawa"
    everything: dict[str, object] = {
        "tests": (
            Test("paired", "clime", "base", 10, 5.0, 4.03, 0.003),
            Test("mcnemar", "clime", "base", 200, 5.0, None, 0.21),
        ),
        "arms": (
            ArmFigures(
                "clime",
                0.8021,
                ((80.5, 19.5), (20.0, 80.0)),
                (
                    ClassFigures(0, 0.801, 0.805, 0.803, 100),
                    ClassFigures(1, 0.804, 0.8, 0.802, 100),
                ),
            ),
        ),
        "movement": Movement(12, 1, 0.25, -0.125, (against,)),
        "keywords": (KeywordChange("nurse", (near,)),),
        "maps": (KeywordMap("nurse", "tsne", words),),
        "changed_count": 7,
        "changed": (ChangedDocument(3, text, 1, 0, 1, (("muuguzi", 2.5), ("dawa", 0.4))),),
        "curve_end": 10,
    }
    findings = Findings(**(everything | parts))
    report.findings, report.described_at = findings.data(), timezone.now()
    report.save()
    return findings


def make_curve(report: Report, **runs: Run) -> None:
    """Give a report points on the way: `make_curve(report, k10=run)` after ten keywords."""
    for name, run in runs.items():
        CurvePoint.objects.create(report=report, keywords=int(name.removeprefix("k")), run=run)


def make_consensus(
    project: Project,
    members: Sequence[str] = (),
    *,
    pairs: Sequence[tuple[str, str, int, int, float]] = (),
    **runs: Run,
) -> Consensus:
    """Return a consensus of people, the most reliable first, with one run an arm.

    pairs: (source keyword, target word, how many accept, how many reject, posterior).
    """
    report = Report.objects.create()
    for arm, run in runs.items():
        ReportArm.objects.create(report=report, arm=arm, run=run)
    consensus = Consensus.objects.create(project=project, method="one_coin", report=report)
    for place, worker_id in enumerate(members):
        annotator, _ = Annotator.objects.get_or_create(platform="direct", worker_id=worker_id)
        ConsensusMember.objects.create(
            consensus=consensus,
            annotator=annotator,
            votes=40,
            reliability=0.9 - place / 20,
            agreement=0.8,
        )
    for keyword, word, accepted, rejected, posterior in pairs:
        ConsensusPair.objects.create(
            consensus=consensus,
            keyword=project.embedding.source.words.get(text=keyword),
            word=project.embedding.target.words.get(text=word),
            accepted=accepted,
            rejected=rejected,
            posterior=posterior,
        )
    return consensus
