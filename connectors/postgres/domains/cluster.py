"""PostgreSQL tables of Kafka's own ids, by which the loss of a cluster or of a topic is found."""

from tradewind.connectors.postgres.table import Domain, Migration

CREATE = """
CREATE TABLE known_cluster (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    cluster_id text NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE known_cluster IS
    'The Kafka cluster that was accepted last; `tradewind prepare` compares and writes it.';

CREATE TABLE known_topics (
    topic    text PRIMARY KEY,
    topic_id text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE known_topics IS 'The topics of that cluster, by their names on it.';
COMMENT ON COLUMN known_topics.topic_id IS
    'Kafka''s id of the topic: another one means that it was deleted and created again.';
"""

CLUSTER = Domain("cluster", migrations=(Migration("known cluster", CREATE),))
