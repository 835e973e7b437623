"""Tables of analyses and corrections, as the first releases of the site created them without Alembic."""

import sqlalchemy as sa
from alembic import op

revision = "v1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables if they do not exist: databases older than the use of Alembic have them."""
    op.create_table(
        "analyses",
        sa.Column("analysis_id", sa.String(40), primary_key=True),
        sa.Column("visitor", sa.String(64), nullable=False),
        sa.Column("cache_key", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("uploaded", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("seen", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("reason", sa.String(40)),
        sa.Column("detail", sa.Text),
        if_not_exists=True,
    )
    op.create_index("analyses_by_state", "analyses", ["state", "created"], if_not_exists=True)
    op.create_index("analyses_by_key", "analyses", ["visitor", "cache_key"], if_not_exists=True)
    op.create_table(
        "corrections",
        sa.Column("correction_id", sa.String(40), primary_key=True),
        sa.Column("song_id", sa.Text),
        sa.Column("sha256", sa.String(64)),
        sa.Column("genre_id", sa.Text, nullable=False),
        sa.Column("said", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("visitor", sa.String(64), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop the tables and their contents."""
    op.drop_table("corrections")
    op.drop_table("analyses")
