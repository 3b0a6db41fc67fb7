"""How late the pipeline is, where and why: what is seen (`readings`), what it means (`verdict`)."""
