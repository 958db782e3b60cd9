"""batches, tags, duplicates, what jobs took, partitions

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        'batches',
        sa.Column('id', _String(), nullable=False),
        sa.Column('kind', _String(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('owner_id', sa.Integer(), nullable=False),
        sa.Column('state', _String(), nullable=False),
        sa.Column('busy', sa.Boolean(), nullable=False),
        sa.Column('template_id', _String(), nullable=False),
        sa.Column('form', sa.JSON(), nullable=False),
        sa.Column('naming', _String(), nullable=False),
        sa.Column('reuse', sa.Boolean(), nullable=False),
        sa.Column('sweep', sa.JSON(), nullable=False),
        sa.Column('action', _String(), nullable=False),
        sa.Column('value', _String(), nullable=False),
        sa.Column('remark', sa.Text(), nullable=False),
        sa.Column('created_at', _Moment(), nullable=False),
        sa.Column('updated_at', _Moment(), nullable=False),
        sa.ForeignKeyConstraint(['owner_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index(op.f('ix_batches_busy'), 'batches', ['busy'], unique=False)
    op.create_index(op.f('ix_batches_owner_id'), 'batches', ['owner_id'], unique=False)
    op.create_table(
        'batch_items',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('batch_id', _String(), nullable=False),
        sa.Column('position', sa.Integer(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('given', sa.JSON(), nullable=False),
        sa.Column('point', sa.JSON(), nullable=False),
        sa.Column('source', _String(), nullable=False),
        sa.Column('state', _String(), nullable=False),
        sa.Column('message', sa.Text(), nullable=False),
        sa.Column('digest', _String(), nullable=False),
        sa.Column('atoms', sa.Integer(), nullable=False),
        sa.Column('anyway', sa.Boolean(), nullable=True),
        sa.Column('job_id', _String(), nullable=True),
        sa.ForeignKeyConstraint(['batch_id'], ['batches.id']),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id']),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index('ix_batch_items_work', 'batch_items', ['batch_id', 'state', 'position'], unique=False)
    op.create_index(op.f('ix_batch_items_job_id'), 'batch_items', ['job_id'], unique=False)
    op.create_table(
        'job_tags',
        sa.Column('job_id', _String(), nullable=False),
        sa.Column('tag', _String(), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id']),
        sa.PrimaryKeyConstraint('job_id', 'tag'),
    )
    op.create_index(op.f('ix_job_tags_tag'), 'job_tags', ['tag'], unique=False)
    with op.batch_alter_table('jobs') as jobs:
        jobs.add_column(sa.Column('batch_id', _String(), nullable=True))
        jobs.add_column(sa.Column('batch_head', sa.Boolean(), nullable=False, server_default=sa.false()))
        jobs.add_column(sa.Column('digest', _String(), nullable=False, server_default=''))
        jobs.add_column(sa.Column('atoms', sa.Integer(), nullable=False, server_default='0'))
        jobs.add_column(sa.Column('archived', sa.Boolean(), nullable=False, server_default=sa.false()))
        jobs.create_foreign_key('fk_jobs_batch_id', 'batches', ['batch_id'], ['id'])
        jobs.create_index('ix_jobs_batch_id', ['batch_id'], unique=False)
        jobs.create_index('ix_jobs_digest', ['digest'], unique=False)
        jobs.create_index('ix_jobs_ended_at', ['ended_at'], unique=False)
    op.add_column('clusters', sa.Column('partitions', sa.JSON(), nullable=False, server_default='[]'))
    op.add_column('remote_jobs', sa.Column('expected_start', _Moment(), nullable=True))
    for name in ('wall_s', 'cpu_s', 'memory_mb'):
        op.add_column('remote_jobs', sa.Column(name, sa.Integer(), nullable=False, server_default='0'))


def downgrade() -> None:
    for name in ('memory_mb', 'cpu_s', 'wall_s', 'expected_start'):
        op.drop_column('remote_jobs', name)
    op.drop_column('clusters', 'partitions')
    with op.batch_alter_table('jobs') as jobs:
        jobs.drop_index('ix_jobs_ended_at')
        jobs.drop_index('ix_jobs_digest')
        jobs.drop_index('ix_jobs_batch_id')
        jobs.drop_constraint('fk_jobs_batch_id', type_='foreignkey')
        for name in ('archived', 'atoms', 'digest', 'batch_head', 'batch_id'):
            jobs.drop_column(name)
    op.drop_table('job_tags')
    op.drop_table('batch_items')
    op.drop_table('batches')
