"""template reviews: who looked through which revision

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        'template_reviews',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('template_id', _String(), nullable=False),
        sa.Column('revision', _String(), nullable=False),
        sa.Column('reviewer_id', sa.Integer(), nullable=False),
        sa.Column('created_at', _Moment(), nullable=False),
        sa.ForeignKeyConstraint(['reviewer_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('template_id', 'revision'),
    )


def downgrade() -> None:
    op.drop_table('template_reviews')
