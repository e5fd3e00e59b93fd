"""Work that runs on a schedule, one file per job."""
