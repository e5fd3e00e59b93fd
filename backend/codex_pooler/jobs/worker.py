"""Runs queued jobs in this process, and goes on doing so whatever happens to the database or to a job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg2
from procrastinate import App, JobContext, RetryDecision, exceptions
from procrastinate import jobs as theirs
from procrastinate.job_context import AbortReason
from procrastinate.retry import BaseRetryStrategy
from procrastinate.worker import Worker

from codex_pooler.jobs.connector import Connector, connection_pool
from codex_pooler.jobs.schedule import JOBS, Job, retry_seconds
from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.storage.queries_jobs import Run, record
from codex_pooler.telemetry import metrics

log = logging.getLogger(__name__)
# Every outcome is told here, in our words and without what an exception may carry.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)

AT_ONCE = 8
BEAT_SECONDS = 10.0
GRACE_SECONDS = 20.0  # how long running jobs may go on once the process is asked to stop
WORD_SECONDS = 5.0  # for writing down what became of a job
AGAIN_SECONDS, AGAIN_AT_MOST_SECONDS = 1.0, 15.0
RESULT_SECONDS = 30.0  # how long an ended job waits for the database before its worker is given up


class JobWorker:
    """One per process that runs jobs."""

    def __init__(self, app: App, queues: Iterable[str]) -> None:
        self._app, self._queues = app, list(queues)
        self._worker: _Worker | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no more jobs; those that run have GRACE_SECONDS.  Returns at once."""
        self._stopping.set()
        if self._worker:
            self._worker.stop()  # type: ignore[no-untyped-call]

    async def run(self) -> None:
        """Work until stopped.  A worker that lost the database is replaced by a new one: the jobs that the old one
        may have been given without hearing of it are then known to be nobody's."""
        wait = AGAIN_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._work_once()
            except (exceptions.ConnectorException, psycopg2.Error, TimeoutError, OSError) as exc:
                log.warning("no jobs are run now (%s), trying again", type(exc.__cause__ or exc).__name__)
            except Exception:
                log.exception("the worker broke off and is replaced")
            wait = AGAIN_SECONDS if time.monotonic() - began > 60 else min(wait * 2, AGAIN_AT_MOST_SECONDS)
            await self._pause(wait)

    async def _work_once(self) -> None:
        self._worker = _Worker(
            self._app,
            queues=self._queues,
            concurrency=AT_ONCE,
            install_signal_handlers=False,
            shutdown_graceful_timeout=GRACE_SECONDS,
            update_heartbeat_interval=BEAT_SECONDS,
            stalled_worker_timeout=3600.0,
        )
        if not self._stopping.is_set():
            await self._worker.run()  # type: ignore[no-untyped-call]

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


class _Worker(Worker):
    """procrastinate's, with repairs."""

    async def _periodic_deferrer(self) -> None:
        # The clock is elsewhere.  As it comes, this would end at once, and with it the watch over the other tasks.
        await asyncio.Event().wait()

    async def _persist_job_status(
        self,
        job: theirs.Job,
        status: theirs.Status,
        retry_decision: RetryDecision | None,
        context: JobContext,
        job_result: Any,
    ) -> None:
        """As it comes, a result that does not reach the database leaves its job running for ever."""
        latest = time.monotonic() + RESULT_SECONDS
        while True:
            try:
                await super()._persist_job_status(job, status, retry_decision, context, job_result)
                return
            except exceptions.UniqueViolation:  # to be tried again, but the same job waits already
                retry_decision, status = None, theirs.Status.ABORTED
            except exceptions.ConnectorException:
                if time.monotonic() > latest:
                    log.warning("what became of a %s could not be written down; it will run again", job.task_name)
                    self.stop()  # type: ignore[no-untyped-call]
                    return
                await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def working(dsn: str, services: Services, jobs: Mapping[str, Job] = JOBS) -> AsyncIterator[JobWorker]:
    """Run jobs as long as the block lasts; on the way out those that run have GRACE_SECONDS to end."""
    async with connection_pool(dsn) as pool:
        app = App(connector=Connector(dsn))
        for job in jobs.values():
            app.task(name=job.name, queue=job.name, retry=_Again(job), pass_context=True)(_task(job, services))
        async with app.open_async(pool):
            worker = JobWorker(app, jobs)
            task = asyncio.create_task(worker.run(), name="jobs")
            try:
                yield worker
            finally:
                worker.stop()
                await asyncio.wait([task], timeout=GRACE_SECONDS + WORD_SECONDS)
                task.cancel()
                await asyncio.wait([task], timeout=WORD_SECONDS)


class _Again(BaseRetryStrategy):
    """Whether, and when, a job that failed runs again."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def get_retry_decision(self, *, exception: BaseException, job: theirs.Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):  # the process stops; another one takes over
            return RetryDecision(retry_in={"seconds": 0})
        if not may_run_again(self._job, job.attempts + 1, exception):
            return None
        return RetryDecision(retry_in={"seconds": int(retry_seconds(job.attempts + 1))})


def may_run_again(job: Job, attempt: int, exception: BaseException) -> bool:
    """Whether a job is tried again after so many attempts, the last of which ended like this."""
    return attempt < job.max_attempts and not (isinstance(exception, JobFailed) and exception.final)


def _task(job: Job, services: Services) -> Any:
    """What procrastinate calls; what comes out of it decides what becomes of the job there."""

    async def run(context: JobContext, **args: Any) -> None:
        attempt = Attempt(services, job, context.job.id or 0, context.job.attempts + 1)
        ids = {name: value for name, value in args.items() if name != "trigger"}
        try:
            await _within(job.timeout_seconds, job.work(services, **ids))
        except asyncio.CancelledError:
            if context.abort_reason() is AbortReason.USER_REQUEST:
                await attempt.ended("cancelled")
                raise exceptions.JobAborted from None
            await attempt.ended("retryable", "interrupted", "The process that ran it was stopped.")
            raise
        except Exception as exc:
            await attempt.failed(exc)
            raise
        await attempt.ended("completed")

    return run


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """Raises JobFailed when the time is up, and what the work raises."""
    try:
        async with asyncio.timeout(seconds) as limit:
            await work
    except TimeoutError:
        if limit.expired():
            raise JobFailed("timed_out", f"It took longer than the {seconds:g} seconds it has.") from None
        raise


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job, and the history of its kind that it ends up in."""

    services: Services
    job: Job
    job_id: int
    number: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def failed(self, exc: Exception) -> None:
        """Say so, in the log and in the history."""
        code, message = told(exc)
        again = may_run_again(self.job, self.number, exc)
        unexpected = exc if code == "internal_error" else None
        log.log(logging.WARNING if again else logging.ERROR, "%s failed (%s)", self.job.name, code, exc_info=unexpected)
        await self.ended("retryable" if again else "discarded", code, message)

    async def ended(self, outcome: str, code: str | None = None, message: str | None = None) -> None:
        """The history lacks what cannot be written within WORD_SECONDS; the job goes its way all the same."""
        self.services.metrics.count(metrics.JOBS, self.job.name, outcome)
        run = Run(self.job_id, self.job.name, self.number, outcome, self.began, code, message)
        try:
            async with asyncio.timeout(WORD_SECONDS), self.services.database.session() as session:
                await record(session, run)
        except (psycopg2.Error, *UNAVAILABLE) as exc:
            log.warning("a run of %s is missing in the history (%s)", run.name, type(exc).__name__)


def told(exc: Exception) -> tuple[str, str]:
    """A code and a sentence for operators; nothing of what an unexpected exception carries."""
    if isinstance(exc, JobFailed):
        return exc.code, exc.message
    if isinstance(exc, UNAVAILABLE):
        return "database_unavailable", "The database did not answer."
    return "internal_error", f"It broke off ({type(exc).__name__}); the log says where."
