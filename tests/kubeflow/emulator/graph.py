"""A graph of tasks as Argo Workflows 4.0 runs what 2.17 compiles to it.

Each task becomes a driver and an executor. A task runs when all that it waits for have Succeeded (argocompiler/dag.go, depends).
An exit handler becomes the exit hook of what it waits for (argocompiler/common.go, addExitTask): it runs when that has completed,
well or not, and decides nothing, for a graph's phase is that of its target tasks, those that none waits for (Argo's
workflow/controller/dag.go, assessDAGPhase).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.kubeflow.emulator.compiler import hooks_of, in_order, is_exit, predecessors
from tests.kubeflow.emulator.driver import Inputs, Scope
from tests.kubeflow.emulator.retries import Defaults, with_defaults
from tests.kubeflow.emulator.tasks import DONE, Run, Task

RunTask = Callable[[str, dict[str, Any], Scope], Task]


def run_graph(
    dag: dict[str, Any], inputs: Inputs, run_task: RunTask, everything: Run, defaults: Defaults
) -> tuple[str, dict[str, Task]]:
    """Run a graph's tasks, one by one.

    Args:
        dag: The graph.
        inputs: Its inputs.
        run_task: Runs a task whose turn it is.
        everything: Where each task is added, by its name.
        defaults: The workflow controller's defaults, by which an exit handler's own graph is run again.

    Returns:
        Its phase in Argo's words, and its tasks.
    """
    tasks = {name: task for name, task in dag["tasks"].items() if not is_exit(task)}
    hooks = hooks_of(dag["tasks"])
    done: dict[str, Task] = {}
    scope = Scope(inputs, done)

    def hook(name: str) -> tuple[str, Task]:
        ended = run_task(name, dag["tasks"][name], scope)
        return phase_of(ended), ended

    for name in in_order(tasks):
        waits = sorted(predecessors(tasks[name]))
        missing = [other for other in waits if other not in done or done[other].state not in DONE]
        if missing:
            done[name] = Task(name, "SKIPPED", said=f"omitted: {missing[0]} has not succeeded")
        else:
            done[name] = run_task(name, tasks[name], scope)
        everything[name] = done[name]
        # A hook belongs to the executor, or the graph. Argo runs it when that has completed: not if its driver has failed.
        if name in hooks and completed(done[name]):
            _, everything[hooks[name]] = with_defaults(defaults, functools.partial(hook, hooks[name]))
    return graph_phase(tasks, done), done


def completed(task: Task) -> bool:
    """Whether a task's executor has run, or its outputs came from the cache."""
    return task.state in DONE or (task.state == "FAILED" and (task.tries > 0 or task.graph is not None))


def phase_of(task: Task) -> str:
    """Return a task's phase in Argo's words; one whose driver has failed has Failed."""
    if task.state in DONE:
        return "Succeeded"
    return "Error" if task.phases[-1:] == ["Error"] else "Failed"


def graph_phase(tasks: dict[str, dict[str, Any]], done: dict[str, Task]) -> str:
    """Return a graph's phase: that of the first of its target tasks that has not ended well."""
    waited_for = {other for task in tasks.values() for other in predecessors(task)}
    phases = [_branch_phase(name, tasks, done) for name in sorted(set(tasks) - waited_for)]
    return next((phase for phase in phases if phase != "Succeeded"), "Succeeded")


def _branch_phase(name: str, tasks: dict[str, dict[str, Any]], done: dict[str, Task]) -> str:
    """A task's phase; where it was not run the worst one of what is before it."""
    if done[name].state != "SKIPPED":
        return phase_of(done[name])
    before = [_branch_phase(other, tasks, done) for other in sorted(predecessors(tasks[name]))]
    return next((phase for phase in before if phase != "Succeeded"), "Succeeded")
