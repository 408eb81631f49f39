"""Write a Kubernetes Indexed Job that runs `surefoot fleet up`, a pod for each shard. Pure."""

from collections.abc import Sequence

import msgspec

from surefoot.errors import ExitCode

# Exit codes that another try of the same shard can't change. 7 is tried again, and so is a killed
# pod.
_FINAL = sorted({*ExitCode} - {ExitCode.DONE, ExitCode.PENDING, ExitCode.BUSY})


class Job(msgspec.Struct, frozen=True):
    """What a person chooses; the rest follows from surefoot's exit codes."""

    image: str  # the application's new image
    shards: int
    pods: int  # at the same time
    options: tuple[str, ...]  # of `fleet up`, except --shard
    name: str = "surefoot-fleet"
    secret: str | None = None  # its keys become environment variables of the pods


def manifest(job: Job) -> str:
    """Return the Job as YAML, with the reasons as comments. Kubernetes 1.29 and newer."""
    command = ["surefoot", "fleet", "up", *job.options, "--shard", f"$(SHARD)/{job.shards}"]
    # Kubernetes replaces $(NAME) with a variable, and $$ with a dollar
    words = [word.replace("$", "$$") for word in command[:-1]] + command[-1:]
    return f"""\
apiVersion: batch/v1
kind: Job
metadata:
  name: {_text(job.name)}
spec:
  # each index is a shard of the list of databases
  completionMode: Indexed
  completions: {job.shards}
  parallelism: {job.pods}
  # how often one shard is tried again; the other shards don't wait for it
  backoffLimitPerIndex: 5
  # a database that is refused fails its shard, and must not stop the others
  maxFailedIndexes: {job.shards}
  podFailurePolicy:
    rules:
      # an evicted pod is started again: the databases say what is done
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
            status: "True"
      # surefoot's exit codes that another try can't change; 7 (busy) is tried again
      - action: FailIndex
        onExitCodes:
          containerName: surefoot
          operator: In
          values: [{", ".join(str(int(code)) for code in _FINAL)}]
  template:
    spec:
      restartPolicy: Never
      # POSTGRES_PORT=tcp://… for a service that is called postgres would be taken for a port
      enableServiceLinks: false
      automountServiceAccountToken: false
      # a run that is asked to stop rolls back, and says so
      terminationGracePeriodSeconds: 60
      containers:
        - name: surefoot
          image: {_text(job.image)}
          # surefoot needs no privileges
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: ["ALL"]
            seccompProfile:
              type: RuntimeDefault
          command:
{_listed(words, 12)}
          env:
            - name: SHARD
              valueFrom:
                fieldRef:
                  fieldPath: metadata.annotations['batch.kubernetes.io/job-completion-index']
{_env_from(job.secret)}"""


def _listed(words: Sequence[str], indent: int) -> str:
    return "\n".join(f"{' ' * indent}- {_text(word)}" for word in words)


def _env_from(secret: str | None) -> str:
    if secret is None:
        return ""
    return f"""\
          # the passwords, and SUREFOOT_DATABASE_URL for a list from sql:
          envFrom:
            - secretRef:
                name: {_text(secret)}
"""


def _text(value: str) -> str:
    """Return a quoted string for YAML."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    safe = (c if " " <= c <= "~" else f"\\U{ord(c):08x}" for c in plain)
    return f'"{"".join(safe)}"'
