// The page about messages: what was sent and, for the administrator, how, when and to whom.
import { data } from './page.js';
import { startInbox } from './inbox.js';
import { startChannels } from './messages_channels.js';
import { startHooks } from './messages_hooks.js';
import { startLog } from './messages_log.js';
import { startRules } from './messages_rules.js';
import { startSession } from './session.js';
import { failed } from './told.js';

startSession();
startInbox({ failed, streaming: false });
startLog();
if (data.may_set) {
  startChannels();
  startRules();
  startHooks();
}
