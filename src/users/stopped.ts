/**
 * SQL that is true of rows of wx_user, under this alias, that keep messages of a template from their user: a block, an
 * opt-out from everything, or an opt-out from that template. `template` is SQL too: a column, or '?' for a binding.
 * What WeChat says of one template says nothing of another.
 * wx_user_user_idx has all columns of it.
 */
export function isStopped(alias: string, template: string): string {
  return `(${alias}.blocked_at IS NOT NULL OR ${alias}.opted_out_at IS NOT NULL
    AND (${alias}.stop_template_id IS NULL OR ${alias}.stop_template_id = ${template}))`
}
