"""the library: templates, basis sets, uploads, attachments, drafts

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        'job_attachments',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('job_id', _String(), nullable=False),
        sa.Column('field', _String(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('sha256', _String(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('source', _String(), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id']),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('job_id', 'name'),
    )
    op.create_index(op.f('ix_job_attachments_job_id'), 'job_attachments', ['job_id'], unique=False)
    op.create_table(
        'stored_files',
        sa.Column('sha256', _String(), nullable=False),
        sa.Column('name', _String(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('owner_id', sa.Integer(), nullable=False),
        sa.Column('created_at', _Moment(), nullable=False),
        sa.ForeignKeyConstraint(['owner_id'], ['users.id']),
        sa.PrimaryKeyConstraint('sha256'),
    )
    for table, key in (('library_templates', 'template_id'), ('library_basis_sets', 'name')):
        content = (
            sa.Column('texts', sa.JSON(), nullable=False),
            sa.Column('comment', _String(), nullable=False),
        ) if key == 'template_id' else (
            sa.Column('text', sa.Text(), nullable=False),
            sa.Column('source', sa.Text(), nullable=False),
        )
        op.create_table(
            table,
            sa.Column('id', sa.Integer(), nullable=False),
            sa.Column(key, _String(), nullable=False),
            sa.Column('version', sa.Integer(), nullable=False),
            *content,
            sa.Column('removed', sa.Boolean(), nullable=False),
            sa.Column('author_id', sa.Integer(), nullable=False),
            sa.Column('created_at', _Moment(), nullable=False),
            sa.ForeignKeyConstraint(['author_id'], ['users.id']),
            sa.PrimaryKeyConstraint('id'),
            sa.UniqueConstraint(key, 'version'),
        )
        op.create_index(op.f(f'ix_{table}_{key}'), table, [key], unique=False)
    op.create_table(
        'form_drafts',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('template_id', _String(), nullable=False),
        sa.Column('form', sa.JSON(), nullable=False),
        sa.Column('updated_at', _Moment(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('user_id', 'template_id'),
    )


def downgrade() -> None:
    for table in ('form_drafts', 'library_basis_sets', 'library_templates', 'stored_files', 'job_attachments'):
        op.drop_table(table)
