"""Tables of the gateway: users, links, sessions, keys of machines and commands. The gateway fills them, no topic."""

from tradewind.connectors.postgres.table import Domain, Migration

ACCESS = Domain(
    name="access",
    migrations=(
        Migration(
            "users, links, sessions",
            """
CREATE TABLE users (
    user_id       text PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    role          text NOT NULL,
    tenant_id     text,
    password_hash text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at   timestamptz
);
COMMENT ON COLUMN users.tenant_id IS 'null for operators of the platform';

CREATE TABLE login_links (
    hash       bytea PRIMARY KEY,
    user_id    text NOT NULL REFERENCES users,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE login_links IS 'links that nobody has used; the hash of each, not the link';

CREATE TABLE sessions (
    session_id    text PRIMARY KEY,
    user_id       text NOT NULL REFERENCES users,
    refresh_hash  bytea NOT NULL UNIQUE,
    previous_hash bytea,
    rotated_at    timestamptz NOT NULL DEFAULT now(),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    ended_because text,
    address       text NOT NULL
);
CREATE INDEX sessions_previous ON sessions (previous_hash);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
""",
        ),
        Migration(
            "keys of machines",
            """
CREATE TABLE machine_keys (
    key_id     text PRIMARY KEY,
    user_id    text NOT NULL REFERENCES users,
    hash       bytea NOT NULL UNIQUE,
    role       text NOT NULL,
    label      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
COMMENT ON TABLE machine_keys IS 'the hash of each key, not the key';
CREATE INDEX machine_keys_living ON machine_keys (expires_at) WHERE ended_at IS NULL;
""",
        ),
        Migration(
            "keys of commands",
            """
CREATE TABLE commands (
    command_id  text PRIMARY KEY,
    tenant_id   text,
    user_id     text NOT NULL,
    route       text NOT NULL,
    digest      bytea NOT NULL,
    begun_at    timestamptz NOT NULL,
    status      integer,
    answer      text,
    answered_at timestamptz
);
CREATE INDEX commands_begun ON commands (begun_at);
COMMENT ON TABLE commands IS 'what was asked with an Idempotency-Key, and what was answered';
COMMENT ON COLUMN commands.command_id IS 'derived from tenant, route and key; the id of the event that it leads to';
COMMENT ON COLUMN commands.tenant_id IS 'of the user; null for operators';
COMMENT ON COLUMN commands.digest IS 'of the body: another body under the same key is refused';
COMMENT ON COLUMN commands.status IS 'null while nobody knows what became of the command';
""",
        ),
        Migration(
            "wrong passwords, and audit events that wait",
            """
CREATE TABLE login_tries (
    kind    text NOT NULL,
    key     bytea NOT NULL,
    tries   integer NOT NULL,
    until   timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX login_tries_last ON login_tries (last_at);
COMMENT ON TABLE login_tries IS 'wrong passwords of accounts and addresses';
COMMENT ON COLUMN login_tries.key IS 'hash of the name or the address';
COMMENT ON COLUMN login_tries.until IS 'end of the pause';

CREATE TABLE unsent_audits (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event  text NOT NULL
);
COMMENT ON TABLE unsent_audits IS 'audit events that a gateway has still to send to tenancy.audit';
""",
        ),
        Migration(
            "second factors",
            """
ALTER TABLE users
    ADD COLUMN totp         bytea,
    ADD COLUMN totp_step    bigint,
    ADD COLUMN totp_next    bytea,
    ADD COLUMN totp_next_at timestamptz;
COMMENT ON COLUMN users.totp IS 'nonce and box of the secret, sealed by a key that comes of gateway.key';
COMMENT ON COLUMN users.totp_step IS 'the last step of 30 s whose code was used';
COMMENT ON COLUMN users.totp_next IS 'a second factor that was begun';

CREATE TABLE recovery_codes (
    user_id text NOT NULL REFERENCES users,
    hash    bytea NOT NULL,
    PRIMARY KEY (user_id, hash)
);
COMMENT ON TABLE recovery_codes IS 'codes that nobody has used; the hash of each, not the code';

ALTER TABLE sessions ADD COLUMN remote boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sessions.remote IS 'whether it was used over a network';
""",
        ),
        Migration(
            "programs of sessions",
            """
ALTER TABLE sessions ADD COLUMN agent text NOT NULL DEFAULT '';
COMMENT ON COLUMN sessions.agent IS 'the program, as it called itself when the session began';
CREATE INDEX sessions_of_user ON sessions (user_id);
""",
        ),
    ),
)
