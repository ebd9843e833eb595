"""Real Lightning Stream on a PowerDNS database and a directory as bucket."""

import pathlib

from . import parts
from .process import DIRECTORY, PATIENCE, Process, run_command

CONFIG = """\
instance: {instance}
lmdb_poll_interval: 100ms
storage_poll_interval: 100ms
storage_force_snapshot_interval: 0s
lmdb_scrape_smaps: false
lmdb_log_stats_interval: 0s
lmdbs:
  main:
    path: {db}
    options: {{no_subdir: true, create: true, map_size: 16GB}}
    schema_tracks_changes: true
  shard:
    path: {db}-0
    options: {{no_subdir: true, create: true, map_size: 16GB}}
    schema_tracks_changes: true
storage:
  type: fs
  options: {{root_path: {bucket}}}
"""


class LightningStream(Process):
    """One instance of a version ("1.0.0", "0.4.4"); as a context it runs `sync`."""

    def __init__(self, version, instance, db, bucket):
        super().__init__(f"ls-{version}-{instance}")
        self.binary = parts.lightningstream(version)
        self.version = version
        self.db = pathlib.Path(db)
        self.bucket = pathlib.Path(bucket)
        self.bucket.mkdir(parents=True, exist_ok=True)
        self.db.parent.mkdir(parents=True, exist_ok=True)
        self.config = DIRECTORY / f"{self.name}.yaml"
        self.config.write_text(CONFIG.format(instance=instance, db=db, bucket=bucket))

    def command(self, *words):
        return [self.binary, "-c", self.config, *words]

    def start(self):
        self.spawn(self.command("sync"))
        return self

    def once(self, seconds=PATIENCE):
        """One round: merge what the bucket has, publish what it lacks."""
        return run_command(self.command("sync", "--only-once"), seconds=seconds)

    def snapshots(self, *words, check=True):
        """`snapshots list`, `snapshots dump NAME`, ..."""
        return run_command(self.command("snapshots", *words), check=check)

    def objects(self):
        """Names of the objects in the bucket that Lightning Stream sees."""
        return [line.split()[0] for line in self.snapshots("list").stdout.split("\n") if line.strip()]
