"""Tables of the login at the gateway: users, links, sessions, keys of machines. The gateway writes them, no topic."""

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
    ),
)
