"""The local environment behind `scripts/dev.sh`: embedded stores, and the supervisor that runs the product on them.

    __main__ → supervisor   locks the data directory (`directory`), then
        stores              starts the servers: `postgresql`, `redis`, `mongodb`, `s3` (a `store` each)
        initialised         decides whether `migrate` has to run
        applications        says what runs: API, worker, beat, and `smtp`, a mail server that keeps what it is sent
        reload              restarts them when their code changes

Child processes never outlive the supervisor: `children`, `process`, `launch`, `signals`; `leftovers` ends those of a
killed one. `patience` waits while they make progress. Tests use `stores.embedded_stores`.
"""
