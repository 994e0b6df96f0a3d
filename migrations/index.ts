import type { Migrations } from '../src/db/migrate.js'
import * as keepPublishedKeys from './20261121000100_keep_published_keys.js'
import * as dropOldUniqueKeys from './20261121000200_drop_old_unique_keys.js'
import * as adoptWxSaveFormId from './20261121000300_adopt_wx_save_form_id.js'
import * as adoptWxMessagePushStatus from './20261121000400_adopt_wx_message_push_status.js'
import * as createWxPushMessage from './20261121000500_create_wx_push_message.js'
import * as createWxMessageRetry from './20261121000510_create_wx_message_retry.js'
import * as createWxClaim from './20261121000520_create_wx_claim.js'
import * as createWxCard from './20261121000530_create_wx_card.js'
import * as createWxJobRun from './20261121000600_create_wx_job_run.js'
import * as createWxJobCursor from './20261121000700_create_wx_job_cursor.js'
import * as createWxSignIn from './20261121000800_create_wx_sign_in.js'
import * as createWxUser from './20261121000900_create_wx_user.js'
import * as createWxUserNumber from './20261121001000_create_wx_user_number.js'
import * as createWxAccessToken from './20261121001100_create_wx_access_token.js'
import * as createWxCallbackEvent from './20261121001200_create_wx_callback_event.js'
import * as createWxCallbackNonce from './20261121001300_create_wx_callback_nonce.js'
import * as bindOpenIdsOfPermits from './20261121001400_bind_open_ids_of_permits.js'
import * as createWxPushMessageDetail from './20261121001500_create_wx_push_message_detail.js'
import * as createWxRunOutcome from './20261121001600_create_wx_run_outcome.js'
import * as createWxStopHistory from './20261121001610_create_wx_stop_history.js'
import * as createWxForecastDay from './20261121001620_create_wx_forecast_day.js'
import * as createWxPermitStock from './20261121001621_create_wx_permit_stock.js'
import * as createWxDaySummary from './20261121001622_create_wx_day_summary.js'
import * as createWxSummaryProgress from './20261121001623_create_wx_summary_progress.js'
import * as createWxOperatorAction from './20261121001650_create_wx_operator_action.js'
import * as createWxInstance from './20261121001660_create_wx_instance.js'
import * as createViewsForPeople from './20261121001700_create_views_for_people.js'
import * as createWxSubmittedMessage from './20261121001800_create_wx_submitted_message.js'
import * as createWxMessageAttempt from './20261121001801_create_wx_message_attempt.js'
import * as createWxSubmission from './20261121001802_create_wx_submission.js'
import * as showSubmittedMessagesInDetail from './20261121001803_show_submitted_messages_in_detail.js'
import * as createWxPlatformAnswer from './20261121001810_create_wx_platform_answer.js'
import * as createWxQuotaUse from './20261121001811_create_wx_quota_use.js'
import * as createWxWebhook from './20261121001820_create_wx_webhook.js'
import * as createWxWebhookDelivery from './20261121001821_create_wx_webhook_delivery.js'

/**
 * The one list of migrations, in order. Names carry no file extension: Knex records names, and the compiled
 * program would refuse a database migrated by the TypeScript sources as corrupt if they had extensions.
 */
export const migrations: Migrations = {
  '20261121000100_keep_published_keys': keepPublishedKeys,
  '20261121000200_drop_old_unique_keys': dropOldUniqueKeys,
  '20261121000300_adopt_wx_save_form_id': adoptWxSaveFormId,
  '20261121000400_adopt_wx_message_push_status': adoptWxMessagePushStatus,
  '20261121000500_create_wx_push_message': createWxPushMessage,
  '20261121000510_create_wx_message_retry': createWxMessageRetry,
  '20261121000520_create_wx_claim': createWxClaim,
  '20261121000530_create_wx_card': createWxCard,
  '20261121000600_create_wx_job_run': createWxJobRun,
  '20261121000700_create_wx_job_cursor': createWxJobCursor,
  '20261121000800_create_wx_sign_in': createWxSignIn,
  '20261121000900_create_wx_user': createWxUser,
  '20261121001000_create_wx_user_number': createWxUserNumber,
  '20261121001100_create_wx_access_token': createWxAccessToken,
  '20261121001200_create_wx_callback_event': createWxCallbackEvent,
  '20261121001300_create_wx_callback_nonce': createWxCallbackNonce,
  '20261121001400_bind_open_ids_of_permits': bindOpenIdsOfPermits,
  '20261121001500_create_wx_push_message_detail': createWxPushMessageDetail,
  '20261121001600_create_wx_run_outcome': createWxRunOutcome,
  '20261121001610_create_wx_stop_history': createWxStopHistory,
  '20261121001620_create_wx_forecast_day': createWxForecastDay,
  '20261121001621_create_wx_permit_stock': createWxPermitStock,
  '20261121001622_create_wx_day_summary': createWxDaySummary,
  '20261121001623_create_wx_summary_progress': createWxSummaryProgress,
  '20261121001650_create_wx_operator_action': createWxOperatorAction,
  '20261121001660_create_wx_instance': createWxInstance,
  '20261121001700_create_views_for_people': createViewsForPeople,
  '20261121001800_create_wx_submitted_message': createWxSubmittedMessage,
  '20261121001801_create_wx_message_attempt': createWxMessageAttempt,
  '20261121001802_create_wx_submission': createWxSubmission,
  '20261121001803_show_submitted_messages_in_detail': showSubmittedMessagesInDetail,
  '20261121001810_create_wx_platform_answer': createWxPlatformAnswer,
  '20261121001811_create_wx_quota_use': createWxQuotaUse,
  '20261121001820_create_wx_webhook': createWxWebhook,
  '20261121001821_create_wx_webhook_delivery': createWxWebhookDelivery,
}
