"""workflows: library, runs, steps, tasks

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        'workflow_versions',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('definition', sa.JSON(), nullable=False),
        sa.Column('comment', _String(), nullable=False),
        sa.Column('removed', sa.Boolean(), nullable=False),
        sa.Column('author_id', sa.Integer(), nullable=False),
        sa.Column('created_at', _Moment(), nullable=False),
        sa.ForeignKeyConstraint(['author_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('name', 'version'),
    )
    op.create_index(op.f('ix_workflow_versions_name'), 'workflow_versions', ['name'], unique=False)
    op.create_table(
        'workflow_runs',
        sa.Column('id', _String(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('owner_id', sa.Integer(), nullable=False),
        sa.Column('workflow', _String(), nullable=False),
        sa.Column('version', _String(), nullable=False),
        sa.Column('definition', sa.JSON(), nullable=False),
        sa.Column('parameters', sa.JSON(), nullable=False),
        sa.Column('inputs', sa.JSON(), nullable=False),
        sa.Column('cluster', _String(), nullable=False),
        sa.Column('resources', sa.JSON(), nullable=False),
        sa.Column('priority', _String(), nullable=False),
        sa.Column('reuse', sa.Boolean(), nullable=False),
        sa.Column('state', _String(), nullable=False),
        sa.Column('busy', sa.Boolean(), nullable=False),
        sa.Column('remark', sa.Text(), nullable=False),
        sa.Column('outputs', sa.JSON(), nullable=False),
        sa.Column('origin_id', _String(), nullable=True),
        sa.Column('task_id', sa.Integer(), nullable=True),
        sa.Column('created_at', _Moment(), nullable=False),
        sa.Column('updated_at', _Moment(), nullable=False),
        sa.Column('ended_at', _Moment(), nullable=True),
        sa.ForeignKeyConstraint(['origin_id'], ['workflow_runs.id']),
        sa.ForeignKeyConstraint(['owner_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
    )
    for column in ('owner_id', 'workflow', 'busy', 'task_id', 'created_at'):
        op.create_index(op.f(f'ix_workflow_runs_{column}'), 'workflow_runs', [column], unique=False)
    op.create_table(
        'workflow_steps',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('run_id', _String(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('position', sa.Integer(), nullable=False),
        sa.Column('state', _String(), nullable=False),
        sa.Column('message', sa.Text(), nullable=False),
        sa.Column('fresh', sa.Boolean(), nullable=False),
        sa.Column('started_at', _Moment(), nullable=True),
        sa.Column('ended_at', _Moment(), nullable=True),
        sa.ForeignKeyConstraint(['run_id'], ['workflow_runs.id']),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('run_id', 'name'),
    )
    op.create_index(op.f('ix_workflow_steps_run_id'), 'workflow_steps', ['run_id'], unique=False)
    op.create_table(
        'workflow_tasks',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('run_id', _String(), nullable=False),
        sa.Column('step_id', sa.Integer(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('item', sa.JSON(), nullable=False),
        sa.Column('state', _String(), nullable=False),
        sa.Column('message', sa.Text(), nullable=False),
        sa.Column('job_id', _String(), nullable=True),
        sa.Column('child_id', _String(), nullable=True),
        sa.Column('outcome', sa.JSON(), nullable=False),
        sa.Column('uses', sa.JSON(), nullable=False),
        sa.Column('changes', sa.JSON(), nullable=False),
        sa.Column('earlier', sa.JSON(), nullable=False),
        sa.Column('retries', sa.Integer(), nullable=False),
        sa.Column('reused', sa.Boolean(), nullable=False),
        sa.Column('not_before', _Moment(), nullable=True),
        sa.ForeignKeyConstraint(['child_id'], ['workflow_runs.id']),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id']),
        sa.ForeignKeyConstraint(['run_id'], ['workflow_runs.id']),
        sa.ForeignKeyConstraint(['step_id'], ['workflow_steps.id']),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('step_id', 'number'),
    )
    op.create_index('ix_workflow_tasks_run', 'workflow_tasks', ['run_id', 'state'], unique=False)
    op.create_index('ix_workflow_tasks_due', 'workflow_tasks', ['state', 'not_before'], unique=False)
    for column in ('job_id', 'child_id'):
        op.create_index(op.f(f'ix_workflow_tasks_{column}'), 'workflow_tasks', [column], unique=False)
    op.create_index(op.f('ix_job_attachments_source'), 'job_attachments', ['source'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_job_attachments_source'), table_name='job_attachments')
    op.drop_table('workflow_tasks')
    op.drop_table('workflow_steps')
    op.drop_table('workflow_runs')
    op.drop_table('workflow_versions')
