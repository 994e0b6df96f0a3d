import type { Migration } from '../src/db/migrate.js'
import * as keepPublishedKeys from './20261121000050_keep_published_keys.js'
import * as dropOldUniqueKeys from './20261121000100_drop_old_unique_keys.js'
import * as cleanWxSaveFormId from './20261121000200_clean_wx_save_form_id.js'
import * as createOrAdoptWxSaveFormId from './20261121000300_create_or_adopt_wx_save_form_id.js'
import * as completeWxSaveFormId from './20261121000400_complete_wx_save_form_id.js'
import * as closeDuplicatePermits from './20261121000500_close_duplicate_permits.js'
import * as addKeysToWxSaveFormId from './20261121000600_add_keys_to_wx_save_form_id.js'
import * as cleanWxMessagePushStatus from './20261121000700_clean_wx_message_push_status.js'
import * as createOrAdoptWxMessagePushStatus from './20261121000800_create_or_adopt_wx_message_push_status.js'
import * as completeWxMessagePushStatus from './20261121000900_complete_wx_message_push_status.js'
import * as mergeDuplicateCounters from './20261121001000_merge_duplicate_counters.js'
import * as addKeysToWxMessagePushStatus from './20261121001100_add_keys_to_wx_message_push_status.js'
import * as recountWxMessagePushStatus from './20261121001200_recount_wx_message_push_status.js'
import * as createWxPushMessage from './20261121001300_create_wx_push_message.js'
import * as createWxJobRun from './20261121001400_create_wx_job_run.js'
import * as createWxJobCursor from './20261121001500_create_wx_job_cursor.js'
import * as createWxSignIn from './20261121001600_create_wx_sign_in.js'
import * as createWxUser from './20261121001700_create_wx_user.js'
import * as createWxAccessToken from './20261121001800_create_wx_access_token.js'
import * as addTapsToWxSaveFormId from './20261121001900_add_taps_to_wx_save_form_id.js'
import * as createWxUserNumber from './20261121002100_create_wx_user_number.js'
import * as createWxCallbackEvent from './20261121002300_create_wx_callback_event.js'
import * as createWxCallbackNonce from './20261121002400_create_wx_callback_nonce.js'
import * as addPersonIndexToWxPushMessage from './20261121002500_add_person_index_to_wx_push_message.js'
import * as bindOpenIdsOfPermits from './20261121002700_bind_open_ids_of_permits.js'

/**
 * The one list of migrations, in order. Names carry no file extension: Knex records names, and with extensions a
 * database migrated by the TypeScript sources would be refused as corrupt by the compiled program.
 */
export const migrations: Record<string, Migration> = {
  '20261121000050_keep_published_keys': keepPublishedKeys,
  '20261121000100_drop_old_unique_keys': dropOldUniqueKeys,
  '20261121000200_clean_wx_save_form_id': cleanWxSaveFormId,
  '20261121000300_create_or_adopt_wx_save_form_id': createOrAdoptWxSaveFormId,
  '20261121000400_complete_wx_save_form_id': completeWxSaveFormId,
  '20261121000500_close_duplicate_permits': closeDuplicatePermits,
  '20261121000600_add_keys_to_wx_save_form_id': addKeysToWxSaveFormId,
  '20261121000700_clean_wx_message_push_status': cleanWxMessagePushStatus,
  '20261121000800_create_or_adopt_wx_message_push_status': createOrAdoptWxMessagePushStatus,
  '20261121000900_complete_wx_message_push_status': completeWxMessagePushStatus,
  '20261121001000_merge_duplicate_counters': mergeDuplicateCounters,
  '20261121001100_add_keys_to_wx_message_push_status': addKeysToWxMessagePushStatus,
  '20261121001200_recount_wx_message_push_status': recountWxMessagePushStatus,
  '20261121001300_create_wx_push_message': createWxPushMessage,
  '20261121001400_create_wx_job_run': createWxJobRun,
  '20261121001500_create_wx_job_cursor': createWxJobCursor,
  '20261121001600_create_wx_sign_in': createWxSignIn,
  '20261121001700_create_wx_user': createWxUser,
  '20261121001800_create_wx_access_token': createWxAccessToken,
  '20261121001900_add_taps_to_wx_save_form_id': addTapsToWxSaveFormId,
  '20261121002100_create_wx_user_number': createWxUserNumber,
  '20261121002300_create_wx_callback_event': createWxCallbackEvent,
  '20261121002400_create_wx_callback_nonce': createWxCallbackNonce,
  '20261121002500_add_person_index_to_wx_push_message': addPersonIndexToWxPushMessage,
  '20261121002700_bind_open_ids_of_permits': bindOpenIdsOfPermits,
}
