"""Dependencies for handlers of routes, Socket.IO events and tasks.

Caller: `VerifyPermissionDep` (guards a route by its permission code, gives the caller's claims), `ActorDep` (the caller
with their permission codes), `owner_or` (whose rows the caller may use), `UserAccessJWTDep` (any live session, no
permission), `UserDBDep` (the caller's row), `UserRefreshJWTDep`, `UserRefreshDep`, `RefreshClaimsDep` (refresh tokens),
`HeaderAccessTokenDep`, `HeaderRefreshTokenDep`, `FoundRefreshTokenDep` (None without one), `HeaderUserAgentDep`,
`ClientDep` (User-Agent and address), `LoginClientDep` (with the device token), `AuditEntryDep` (to add details),
`require_recent` (a recent login).

Stores: `UnitOfWorkDep`, `SessionDep` (its SQL session), `ReadUnitOfWorkDep`, `ReadSessionDep` (read-only, on the
replica if there is one), `unit_of_work_on` (another SQL database), `RedisDep`, `ResourcesDep` (all stores),
`AuthCrudDep` (queries on users).

Services: one file per resource, one `XServiceDep` each; `XReaderDep` reads from the replica.
"""
