// My appointment: messages to this browser about it. All else on the page works without a script.
import { byId, data } from './page.js';
import { offerPush } from './push.js';

const headers = { 'Appointment-Secret': location.pathname.split('/a/')[1].split('/')[0] };
const { appointment } = data;
offerPush(byId('push'), { path: `/api/v1/appointments/${appointment}/push`, about: {}, id: appointment }, headers);
byId('push').hidden = false;
