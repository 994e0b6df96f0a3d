export interface paths {
    "/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in with a code of wx.login
         * @description If the answer has no user_id, no user is bound to this person yet, and calls with the session are answered 409 user_not_bound until your backend binds one.
         */
        post: operations["createSession"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The user of an open_id
         * @description Binds nothing. An open_id that nobody has been seen with is answered 404.
         */
        get: operations["findUsers"];
        /**
         * Bind an open_id to a user
         * @description Repeating it changes nothing. An open_id has one user; a user may have several open_ids. An open_id of another user is answered 409 unless move_permits is true.
         */
        put: operations["bindUser"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All that is on record about a user
         * @description The open_ids, the counter, what stops messages, and the first 20 permits, sign-ins and messages; `next` of each list begins the next page of the call for that list. A number that nobody has been seen with is answered 404.
         */
        get: operations["getUser"];
        put?: never;
        post?: never;
        /**
         * Erase what is personal about a user
         * @description Takes away open_ids, sessions, form_ids, texts and events; sums stay as they are. Repeating it erases what has come since, and answers zeros if nothing has. 409 while a message to the user is being sent: send it again after Retry-After.
         */
        delete: operations["eraseUser"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}/permits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The permits of a user
         * @description Those that run out last come first. With `status`, a page may hold fewer than `limit` and still have a `next`.
         */
        get: operations["listUserPermits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}/sign-ins": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The days on which a user signed in
         * @description The newest first.
         */
        get: operations["listUserSignIns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The messages of a user, each with its attempts
         * @description The newest first.
         */
        get: operations["listUserMessages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}/opt-out": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Stop messages to a user, at the user’s own request, or bring the user back
         * @description `{"opted_out": true}`, or no body, stops all messages. That holds until `{"opted_out": false}`: neither an accepted subscription nor a bulk bring-back ends it. Repeating it changes nothing. A message that is being sent at this moment still goes out.
         */
        put: operations["setOptOut"];
        post?: never;
        /**
         * Bring a user back
         * @description The same as PUT with `{"opted_out": false}`. Ends whatever stops messages to the user: an opt-out, a refusal that WeChat reported, a block. Subscriptions that the refusal of a message voided are good again. If WeChat still refuses, the next message is refused and the stop is recorded again.
         */
        delete: operations["endOptOut"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Why a user was, was not, will or will not be reminded on a day
         * @description Of a past day from what was on record then, of today and later days from live data, if nothing happens until then. Changes nothing. A user whom nobody has seen is an answer too: outcome not_known.
         */
        get: operations["explainUser"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/form-ids": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload form_ids
         * @description Answers once they are stored. Sending one again changes nothing. An item with prepay_id is a payment: three permits, spent no earlier than 10 s after it. With a session, leave out open_id and user_id; up to 20 items.
         */
        post: operations["uploadFormIds"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/subscriptions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report what wx.requestSubscribeMessage answered
         * @description One accept is one permit of that template, which does not expire. WeChat also reports the tap in an event: the two count once. Taken are the template of the reminder and those of TEMPLATES; among several items, one of another template is refused by itself. With a session, leave out open_id and user_id; up to 20 items.
         */
        post: operations["reportSubscriptions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/permits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many permits are left, and whether asking for more is useful now
         * @description A backend names user_id or open_id; a session asks about its own user.
         */
        get: operations["getPermits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sign-ins": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether a user signed in on a day, and the streak
         * @description A backend names user_id or open_id; a session asks about its own user. The day is today in the zone of the account if left out. A user without a sign-in is answered alike, with zeros.
         */
        get: operations["getSignIn"];
        put?: never;
        /**
         * Record that a user signed in
         * @description A user who signed in today is not reminded today. Sending it again changes nothing. A day more than RETENTION_DAYS ago is not recorded; the answer gives the streak as far as it is known. A backend names user_id or open_id; with a session, leave out both, and the day is today.
         */
        post: operations["recordSignIn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/forecast": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many users can be reminded on each coming day
         * @description From today while its sending window is open, else from tomorrow. On a day on which REMIND_CRON does not fire, nobody is reachable. A large account is counted every few minutes, see as_of.
         */
        get: operations["getForecast"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/forecast/going-dark": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who can be reminded on that day for the last time
         * @description Users in the order of their ids, unless a permit arrives or they sign in. Each call examines a bounded number of users, so a page may be short, or empty, and still have `next`.
         */
        get: operations["listGoingDark"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the daily runs went, newest first
         * @description Counts are true at the moment of the answer, also of a run that is under way.
         */
        get: operations["listRuns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{date}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the run of a day went, or is going
         * @description True at any moment, whichever processes work on it. A day without a run is answered too, as `not_started`, with the reason.
         */
        get: operations["getRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Submitted messages, newest first
         * @description All of the account, or those of a state, a user or a template. `dead` are those that used up their attempts.
         */
        get: operations["listMessages"];
        put?: never;
        /**
         * Send messages to users
         * @description Answers once they are stored, each with the permit that it will spend. A batch stores the good ones and says what is wrong with each of the others.
         */
        post: operations["submitMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How a submitted message stands
         * @description With every request that was made for it, and what its state means.
         */
        get: operations["getMessage"];
        put?: never;
        post?: never;
        /**
         * Cancel a submitted message that waits
         * @description In the queue, or for another attempt: its permit is given back. Cancelling it again changes nothing.
         */
        delete: operations["cancelMessage"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages/{id}/requeue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Queue a dead letter again
         * @description With the oldest permit that the user has now, and as many attempts as a new message. What it has tried so far stays on record.
         */
        post: operations["requeueMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the webhook was told, newest first
         * @description One for each event of a submitted message, since the account has a webhook: those delivered, those that wait for an attempt, and those given up.
         */
        get: operations["listWebhookDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-deliveries/{id}/redeliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Tell the webhook again
         * @description At once, with the same webhook-id and as many attempts as a new event. One that is being sent at this moment is left alone.
         */
        post: operations["redeliverWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process answers, and its version
         * @description Asks nothing of the database: for whoever restarts a process that hangs.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the service can do its work
         * @description The database answers within 3 s, takes writes and has all migrations: for whoever sends it requests.
         */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description In its text format. With METRICS_TOKEN as "Authorization: Bearer TOKEN"; where none is set, from the same machine only. A database that does not answer shows as reminder_database_up 0.
         */
        get: operations["readMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: never;
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    createSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "code": "0a3x2yGa1d8qVH0Gq0Ia1XvUmN0x2yGk"
                 *     }
                 */
                "application/json": {
                    /** @description The code from wx.login; works once */
                    code: string;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                };
            };
        };
        responses: {
            /** @description A session of seven days */
            201: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvRGVtbzEifQ.c2lnbmF0dXJl",
                     *       "expires_at": 1795867200000,
                     *       "user_id": 9001
                     *     }
                     */
                    "application/json": {
                        /** @description For "Authorization: Bearer TOKEN" */
                        token: string;
                        /** @description In ms since 1970 */
                        expires_at: number;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id?: number | string;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_code`: call wx.login again: the code is wrong, older than five minutes, or of another app（重新 wx.login：code 不对、超过五分钟，或属于别的小程序） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_code";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `high_risk_user`: do not try again: WeChat blocks the login of this person（不要重试：微信拦截了该用户的登录） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "high_risk_user";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `sessions_off`: for the operator: SESSION_SECRET is not set（需要运维处理：没有设置 SESSION_SECRET）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "sessions_off";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `code_used`: call wx.login again: a code works once（重新 wx.login：code 只能用一次） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "code_used";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `wechat_unavailable`: WeChat does not answer: later, with a new code（微信没有应答：稍后用新的 code 再试）
             *
             *     `login_misconfigured`: for the operator: the log says what to fix（需要运维处理，日志里有原因）
             *
             *     `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "wechat_unavailable" | "login_misconfigured" | "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    findUsers: {
        parameters: {
            query: {
                /**
                 * @description WeChat's id of the user in this app
                 * @example oDemo1
                 */
                open_id: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Somebody has been seen with it */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "open_id": "oDemo1",
                     *       "user_ids": [
                     *         9001
                     *       ]
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description WeChat's id of the user in this app
                         * @example oDemo1
                         */
                        open_id: string;
                        /** @description The user that it is bound to; without a binding, all whose permits it gave */
                        user_ids: (number | string)[];
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    bindUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "open_id": "oDemo1",
                 *       "user_id": 9001
                 *     }
                 */
                "application/json": {
                    /**
                     * @description WeChat's id of the user in this app
                     * @example oDemo1
                     */
                    open_id: string;
                    /**
                     * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                     * @example 10086
                     * @example 1234567890123456789
                     */
                    user_id: number | string;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                    /** @description true: an open_id of another user is handed over, with its unspent permits. Otherwise that is answered 409 */
                    move_permits?: boolean;
                };
            };
        };
        responses: {
            /** @description Bound, now or before */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "open_id": "oDemo1",
                     *       "user_id": 9001,
                     *       "moved": 0
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description WeChat's id of the user in this app
                         * @example oDemo1
                         */
                        open_id: string;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /** @description Unspent permits that were handed over */
                        moved: number;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `conflict`: the open_id belongs to another user; an erasure meets a message that is being sent: send it again after Retry-After（open_id 属于别的用户；或要删除的用户正有消息在发送：等 Retry-After 之后重发） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "conflict";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getUser: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is on record */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "open_ids": [
                     *         {
                     *           "open_id": "oDemo1",
                     *           "union_id": null,
                     *           "known_since_at": "2026-11-20T02:00:00.000Z"
                     *         }
                     *       ],
                     *       "counter": {
                     *         "count": 1,
                     *         "last_date": "2026-11-20"
                     *       },
                     *       "stops": [],
                     *       "permits": {
                     *         "items": [
                     *           {
                     *             "id": 2,
                     *             "open_id": "oDemo1",
                     *             "form_id": "3a5f0c9b2e7d4f6188aa10b2c3d4e5f6",
                     *             "use_no": 1,
                     *             "source": "form",
                     *             "template_id": null,
                     *             "page": "pages/sign-in/index",
                     *             "status": "unspent",
                     *             "expires_at": "2026-11-28T04:00:00.000Z",
                     *             "message_id": null,
                     *             "spoiled_by": null,
                     *             "created_at": "2026-11-21T04:00:00.000Z"
                     *           }
                     *         ],
                     *         "next": null,
                     *         "unspent": 1,
                     *         "spent": 1,
                     *         "expired": 0,
                     *         "all_counted": true,
                     *         "groups": [
                     *           {
                     *             "source": "form",
                     *             "template_id": null,
                     *             "expires_on": "2026-11-28",
                     *             "permits": 1
                     *           }
                     *         ]
                     *       },
                     *       "sign_ins": {
                     *         "items": [
                     *           {
                     *             "date": "2026-11-21",
                     *             "streak": 1,
                     *             "created_at": "2026-11-21T04:00:00.000Z"
                     *           }
                     *         ],
                     *         "next": null,
                     *         "signed_in": true,
                     *         "streak": 1,
                     *         "streak_before": 0
                     *       },
                     *       "messages": {
                     *         "items": [
                     *           {
                     *             "id": 1,
                     *             "trace_id": "message-1",
                     *             "kind": "reminder",
                     *             "date": "2026-11-20",
                     *             "state": "delivered",
                     *             "channel": "form_id",
                     *             "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *             "page": "pages/sign-in/index",
                     *             "texts": {
                     *               "keyword1": "日领积分",
                     *               "keyword2": "已经连续答题3天",
                     *               "keyword4": "2026.11.20"
                     *             },
                     *             "open_id": "oDemo1",
                     *             "permit_id": 1,
                     *             "run_id": 1,
                     *             "attempts": 1,
                     *             "attempts_on_record": [
                     *               {
                     *                 "permit_id": 1,
                     *                 "answer": {
                     *                   "errcode": 0,
                     *                   "name": "ok",
                     *                   "meaning": "Accepted.",
                     *                   "meaning_zh": "成功"
                     *                 },
                     *                 "rid": null,
                     *                 "at": "2026-11-20T02:00:00.000Z"
                     *               }
                     *             ],
                     *             "answer": null,
                     *             "errmsg": null,
                     *             "rid": null,
                     *             "msgid": null,
                     *             "maybe_sent": false,
                     *             "delivery_status": null,
                     *             "next_attempt_at": null,
                     *             "created_at": "2026-11-20T02:00:00.000Z",
                     *             "settled_at": "2026-11-20T02:00:00.000Z"
                     *           }
                     *         ],
                     *         "next": null
                     *       }
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /** @description Bound to the user now; at most 100 */
                        open_ids: {
                            /**
                             * @description WeChat's id of the user in this app
                             * @example oDemo1
                             */
                            open_id: string;
                            union_id: string | null;
                            known_since_at: string | null;
                        }[];
                        counter: {
                            /** @description Permits left */
                            count: number;
                            last_date: string | null;
                        } | null;
                        /** @description What keeps messages from the user now */
                        stops: {
                            open_id: string;
                            /** @description opted_out: by the wish or refusal of the person; blocked: by WeChat */
                            kind: string;
                            /**
                             * Format: date-time
                             * @description In UTC
                             * @example 2026-11-20T02:00:00.000Z
                             */
                            since_at: string;
                            template_id: string | null;
                            answer: {
                                /** @example 43101 */
                                errcode: number;
                                name: string;
                                meaning: string;
                                meaning_zh: string;
                            } | null;
                            message_id: number | null;
                        }[];
                        permits: {
                            items: {
                                id: number;
                                open_id: string;
                                /** @description The form_id or prepay_id, or our name of a subscription */
                                form_id: string;
                                /** @description 1 to 3 of a prepay_id */
                                use_no: number;
                                /** @description form, pay or subscribe */
                                source: string;
                                template_id: string | null;
                                page: string | null;
                                /** @description unspent, spent or expired */
                                status: string;
                                expires_at: string | null;
                                message_id: number | null;
                                spoiled_by: {
                                    /** @example 43101 */
                                    errcode: number;
                                    name: string;
                                    meaning: string;
                                    meaning_zh: string;
                                } | null;
                                created_at: string | null;
                            }[];
                            next: string | null;
                            unspent: number;
                            spent: number;
                            expired: number;
                            /** @description false: the user has more than 10,000 permits on record, and the youngest 10,000 are counted */
                            all_counted: boolean;
                            /** @description Unspent permits by source, template and the day on which they run out, in the zone of the account; expires_on null: never */
                            groups: {
                                /** @description form, pay or subscribe */
                                source: string;
                                template_id: string | null;
                                expires_on: string | null;
                                permits: number;
                            }[];
                        };
                        sign_ins: {
                            items: {
                                /**
                                 * @description Day as YYYY-MM-DD
                                 * @example 2026-11-21
                                 */
                                date: string;
                                /** @description Days in a row up to this one */
                                streak: number;
                                /**
                                 * Format: date-time
                                 * @description In UTC
                                 * @example 2026-11-20T02:00:00.000Z
                                 */
                                created_at: string;
                            }[];
                            next: string | null;
                            /** @description Today, in the zone of the account */
                            signed_in: boolean;
                            /** @description Days in a row up to today; 0 if not signed in today */
                            streak: number;
                            /** @description Days in a row up to yesterday */
                            streak_before: number;
                        };
                        /**
                         * @description A page of the list
                         * @example {
                         *       "items": [
                         *         {
                         *           "id": 1,
                         *           "trace_id": "message-1",
                         *           "kind": "reminder",
                         *           "date": "2026-11-20",
                         *           "state": "delivered",
                         *           "channel": "form_id",
                         *           "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                         *           "page": "pages/sign-in/index",
                         *           "texts": {
                         *             "keyword1": "日领积分",
                         *             "keyword2": "已经连续答题3天",
                         *             "keyword4": "2026.11.20"
                         *           },
                         *           "open_id": "oDemo1",
                         *           "permit_id": 1,
                         *           "run_id": 1,
                         *           "attempts": 1,
                         *           "attempts_on_record": [
                         *             {
                         *               "permit_id": 1,
                         *               "answer": {
                         *                 "errcode": 0,
                         *                 "name": "ok",
                         *                 "meaning": "Accepted.",
                         *                 "meaning_zh": "成功"
                         *               },
                         *               "rid": null,
                         *               "at": "2026-11-20T02:00:00.000Z"
                         *             }
                         *           ],
                         *           "answer": null,
                         *           "errmsg": null,
                         *           "rid": null,
                         *           "msgid": null,
                         *           "maybe_sent": false,
                         *           "delivery_status": null,
                         *           "next_attempt_at": null,
                         *           "created_at": "2026-11-20T02:00:00.000Z",
                         *           "settled_at": "2026-11-20T02:00:00.000Z"
                         *         }
                         *       ],
                         *       "next": null
                         *     }
                         */
                        messages: {
                            items: {
                                id: number;
                                /** @description Of its lines in the log */
                                trace_id: string;
                                /** @description reminder or api */
                                kind: string;
                                date: string | null;
                                /** @description queued, sending, retry, delivered, failed, unknown or cancelled */
                                state: string;
                                channel: string;
                                template_id: string;
                                page: string;
                                /** @description What it says, by key of the template */
                                texts: {
                                    [key: string]: string;
                                };
                                open_id: string | null;
                                permit_id: number | null;
                                run_id: number | null;
                                /** @description Requests made for it */
                                attempts: number;
                                /** @description Each attempt that met a spoiled permit, and the last one. An answer that a later attempt with the same permit replaced is not kept: attempts says how many there were */
                                attempts_on_record: {
                                    permit_id: number | null;
                                    answer: {
                                        /** @example 43101 */
                                        errcode: number;
                                        name: string;
                                        meaning: string;
                                        meaning_zh: string;
                                    } | null;
                                    rid: string | null;
                                    /**
                                     * Format: date-time
                                     * @description In UTC
                                     * @example 2026-11-20T02:00:00.000Z
                                     */
                                    at: string;
                                }[];
                                answer: {
                                    /** @example 43101 */
                                    errcode: number;
                                    name: string;
                                    meaning: string;
                                    meaning_zh: string;
                                } | null;
                                errmsg: string | null;
                                rid: string | null;
                                msgid: string | null;
                                /** @description An attempt may have reached WeChat, and its answer is not known */
                                maybe_sent: boolean;
                                delivery_status: string | null;
                                next_attempt_at: string | null;
                                /**
                                 * Format: date-time
                                 * @description In UTC
                                 * @example 2026-11-20T02:00:00.000Z
                                 */
                                created_at: string;
                                settled_at: string | null;
                            }[];
                            next: string | null;
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    eraseUser: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is erased now */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "open_ids": 1,
                     *       "permits": 3,
                     *       "voided": 2,
                     *       "messages": 1,
                     *       "events": 0,
                     *       "complete": true
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /** @description Persons who were forgotten, with their sessions */
                        open_ids: number;
                        /** @description Permits without open_id, form_id and page now */
                        permits: number;
                        /** @description Of these, unspent ones, which are expired now */
                        voided: number;
                        /** @description Messages without receiver, texts and what WeChat can look up now */
                        messages: number;
                        /** @description WeChat's events that were deleted */
                        events: number;
                        /** @description false: there is more than one call erases, send it again */
                        complete: boolean;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `conflict`: the open_id belongs to another user; an erasure meets a message that is being sent: send it again after Retry-After（open_id 属于别的用户；或要删除的用户正有消息在发送：等 Retry-After 之后重发） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "conflict";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listUserPermits: {
        parameters: {
            query?: {
                /**
                 * @description 1 to 100; 20 if left out
                 * @example 20
                 */
                limit?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
                /** @description `next` of the page before */
                before?: string;
                /** @description Only these */
                status?: "unspent" | "spent" | "expired";
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the list */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "items": [
                     *         {
                     *           "id": 2,
                     *           "open_id": "oDemo1",
                     *           "form_id": "3a5f0c9b2e7d4f6188aa10b2c3d4e5f6",
                     *           "use_no": 1,
                     *           "source": "form",
                     *           "template_id": null,
                     *           "page": "pages/sign-in/index",
                     *           "status": "unspent",
                     *           "expires_at": "2026-11-28T04:00:00.000Z",
                     *           "message_id": null,
                     *           "spoiled_by": null,
                     *           "created_at": "2026-11-21T04:00:00.000Z"
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        items: {
                            id: number;
                            open_id: string;
                            /** @description The form_id or prepay_id, or our name of a subscription */
                            form_id: string;
                            /** @description 1 to 3 of a prepay_id */
                            use_no: number;
                            /** @description form, pay or subscribe */
                            source: string;
                            template_id: string | null;
                            page: string | null;
                            /** @description unspent, spent or expired */
                            status: string;
                            expires_at: string | null;
                            message_id: number | null;
                            spoiled_by: {
                                /** @example 43101 */
                                errcode: number;
                                name: string;
                                meaning: string;
                                meaning_zh: string;
                            } | null;
                            created_at: string | null;
                        }[];
                        next: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listUserSignIns: {
        parameters: {
            query?: {
                /**
                 * @description 1 to 100; 20 if left out
                 * @example 20
                 */
                limit?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
                /** @description `next` of the page before */
                before?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the list */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "items": [
                     *         {
                     *           "date": "2026-11-21",
                     *           "streak": 1,
                     *           "created_at": "2026-11-21T04:00:00.000Z"
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        items: {
                            /**
                             * @description Day as YYYY-MM-DD
                             * @example 2026-11-21
                             */
                            date: string;
                            /** @description Days in a row up to this one */
                            streak: number;
                            /**
                             * Format: date-time
                             * @description In UTC
                             * @example 2026-11-20T02:00:00.000Z
                             */
                            created_at: string;
                        }[];
                        next: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listUserMessages: {
        parameters: {
            query?: {
                /**
                 * @description 1 to 100; 20 if left out
                 * @example 20
                 */
                limit?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
                /** @description `next` of the page before */
                before?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the list */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "items": [
                     *         {
                     *           "id": 1,
                     *           "trace_id": "message-1",
                     *           "kind": "reminder",
                     *           "date": "2026-11-20",
                     *           "state": "delivered",
                     *           "channel": "form_id",
                     *           "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *           "page": "pages/sign-in/index",
                     *           "texts": {
                     *             "keyword1": "日领积分",
                     *             "keyword2": "已经连续答题3天",
                     *             "keyword4": "2026.11.20"
                     *           },
                     *           "open_id": "oDemo1",
                     *           "permit_id": 1,
                     *           "run_id": 1,
                     *           "attempts": 1,
                     *           "attempts_on_record": [
                     *             {
                     *               "permit_id": 1,
                     *               "answer": {
                     *                 "errcode": 0,
                     *                 "name": "ok",
                     *                 "meaning": "Accepted.",
                     *                 "meaning_zh": "成功"
                     *               },
                     *               "rid": null,
                     *               "at": "2026-11-20T02:00:00.000Z"
                     *             }
                     *           ],
                     *           "answer": null,
                     *           "errmsg": null,
                     *           "rid": null,
                     *           "msgid": null,
                     *           "maybe_sent": false,
                     *           "delivery_status": null,
                     *           "next_attempt_at": null,
                     *           "created_at": "2026-11-20T02:00:00.000Z",
                     *           "settled_at": "2026-11-20T02:00:00.000Z"
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        items: {
                            id: number;
                            /** @description Of its lines in the log */
                            trace_id: string;
                            /** @description reminder or api */
                            kind: string;
                            date: string | null;
                            /** @description queued, sending, retry, delivered, failed, unknown or cancelled */
                            state: string;
                            channel: string;
                            template_id: string;
                            page: string;
                            /** @description What it says, by key of the template */
                            texts: {
                                [key: string]: string;
                            };
                            open_id: string | null;
                            permit_id: number | null;
                            run_id: number | null;
                            /** @description Requests made for it */
                            attempts: number;
                            /** @description Each attempt that met a spoiled permit, and the last one. An answer that a later attempt with the same permit replaced is not kept: attempts says how many there were */
                            attempts_on_record: {
                                permit_id: number | null;
                                answer: {
                                    /** @example 43101 */
                                    errcode: number;
                                    name: string;
                                    meaning: string;
                                    meaning_zh: string;
                                } | null;
                                rid: string | null;
                                /**
                                 * Format: date-time
                                 * @description In UTC
                                 * @example 2026-11-20T02:00:00.000Z
                                 */
                                at: string;
                            }[];
                            answer: {
                                /** @example 43101 */
                                errcode: number;
                                name: string;
                                meaning: string;
                                meaning_zh: string;
                            } | null;
                            errmsg: string | null;
                            rid: string | null;
                            msgid: string | null;
                            /** @description An attempt may have reached WeChat, and its answer is not known */
                            maybe_sent: boolean;
                            delivery_status: string | null;
                            next_attempt_at: string | null;
                            /**
                             * Format: date-time
                             * @description In UTC
                             * @example 2026-11-20T02:00:00.000Z
                             */
                            created_at: string;
                            settled_at: string | null;
                        }[];
                        next: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    setOptOut: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "opted_out": true
                 *     }
                 */
                "application/json": {
                    /** @description false brings the user back, as DELETE does */
                    opted_out: boolean;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                } | null;
            };
        };
        responses: {
            /** @description How it stands now */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "stopped": true
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /** @description Whether messages to this user are stopped now */
                        stopped: boolean;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    endOptOut: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it stands now */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "stopped": true
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /** @description Whether messages to this user are stopped now */
                        stopped: boolean;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    explainUser: {
        parameters: {
            query?: {
                /**
                 * @description Day as YYYY-MM-DD
                 * @example 2026-11-21
                 */
                date?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of the reminder of that day, or will become of it */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "date": "2026-11-21",
                     *       "outcome": "signed_in",
                     *       "sentence": "The user will not be reminded on 2026-11-21: the user signed in at 2026-11-21 12:00:00.",
                     *       "sentence_zh": "用户在 2026-11-21 不会收到提醒：用户已于 2026-11-21 12:00:00 签到。",
                     *       "checks": [
                     *         {
                     *           "name": "known",
                     *           "ok": true,
                     *           "detail": "on record",
                     *           "detail_zh": "有记录"
                     *         },
                     *         {
                     *           "name": "not_reminded",
                     *           "ok": true,
                     *           "detail": "last_date 2026-11-20",
                     *           "detail_zh": "last_date 为 2026-11-20"
                     *         },
                     *         {
                     *           "name": "not_signed_in",
                     *           "ok": false,
                     *           "detail": "at 2026-11-21 12:00:00",
                     *           "detail_zh": "2026-11-21 12:00:00 签到"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /**
                         * @description Day as YYYY-MM-DD
                         * @example 2026-11-21
                         */
                        date: string;
                        /**
                         * @description What became, or will become, of the reminder of that day
                         * @enum {unknown}
                         */
                        outcome: "will_be_reminded" | "reminded" | "being_sent" | "failed" | "unknown" | "signed_in" | "no_permit" | "no_valid_permit" | "wrong_template" | "no_open_id" | "opted_out" | "blocked" | "not_known" | "run_halted" | "run_paused" | "run_missed" | "window_closed" | "not_reached";
                        /** @description The same in words, with the values that decided */
                        sentence: string;
                        /** @description The sentence in Chinese */
                        sentence_zh: string;
                        /** @description In the order in which they decide; the outcome is that of the first one that is not ok */
                        checks: {
                            /** @enum {unknown} */
                            name: "known" | "not_reminded" | "has_permit" | "not_stopped" | "not_signed_in" | "valid_permit" | "permit_fits" | "has_open_id" | "reached";
                            ok: boolean;
                            detail: string;
                            detail_zh: string;
                        }[];
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    uploadFormIds: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description WeChat's id of the user in this app
                     * @example oDemo1
                     */
                    open_id?: string;
                    /**
                     * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                     * @example 10086
                     * @example 1234567890123456789
                     */
                    user_id?: number | string;
                    /** @description event.detail.formId of a <form report-submit>, unchanged */
                    form_id?: string | null;
                    /** @description Instead of form_id: the prepay_id of a successful payment. With an API key only */
                    prepay_id?: string | null;
                    /** @description The page that the form is on */
                    page?: string;
                    /** @description When the user submitted or paid, in ms since 1970; a time in the future counts as now */
                    submitted_at?: number;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                } | {
                    items: {
                        /**
                         * @description WeChat's id of the user in this app
                         * @example oDemo1
                         */
                        open_id?: string;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id?: number | string;
                        /** @description event.detail.formId of a <form report-submit>, unchanged */
                        form_id?: string | null;
                        /** @description Instead of form_id: the prepay_id of a successful payment. With an API key only */
                        prepay_id?: string | null;
                        /** @description The page that the form is on */
                        page?: string;
                        /** @description When the user submitted or paid, in ms since 1970; a time in the future counts as now */
                        submitted_at?: number;
                    }[];
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                };
            };
        };
        responses: {
            /** @description Stored, except for what is rejected. The results are in the order of the items */
            201: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Stored now */
                        accepted: number;
                        /** @description Stored before, by the same user */
                        duplicates: number;
                        /** @description Not stored, each with a reason */
                        rejected: number;
                        results: {
                            /** @description As it was sent */
                            form_id?: string | null;
                            /** @description As it was sent */
                            prepay_id?: string | null;
                            /** @description accepted, duplicate or rejected */
                            outcome: string;
                            /** @description Why a rejected one is not a permit: empty, mock, trial_version, request_failed, malformed, transaction_id, expired, belongs_to_another_user, open_id_of_another_user, too_many. too_many: the user has 200 unspent permits. invalid: the item breaks a rule of this page, see error */
                            reason?: string;
                            error?: {
                                code: string;
                                message: string;
                                details?: {
                                    [key: string]: unknown;
                                };
                            };
                        }[];
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "user_not_bound";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults）
             *
             *     `unknown_template`: the account does not use this template, or is a service account, which uses no permits at all: details.known has those that it uses; add it to TEMPLATES, or report another one（该账号不使用这个模板，或是不用凭证的服务号：details.known 是可用的模板；请把它加进 TEMPLATES，或改报其他模板）
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request" | "unknown_template";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    reportSubscriptions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description WeChat's id of the user in this app
                     * @example oDemo1
                     */
                    open_id?: string;
                    /**
                     * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                     * @example 10086
                     * @example 1234567890123456789
                     */
                    user_id?: number | string;
                    /** @description One of tmplIds */
                    template_id: string;
                    /** @description What wx.requestSubscribeMessage returned for it, e.g. accept or reject */
                    result: string;
                    /** @description Your id for the tap: reports with the same id count once */
                    tap_id?: string;
                    /** @description In ms since 1970; a time in the future counts as now */
                    tapped_at?: number;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                } | {
                    items: {
                        /**
                         * @description WeChat's id of the user in this app
                         * @example oDemo1
                         */
                        open_id?: string;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id?: number | string;
                        /** @description One of tmplIds */
                        template_id: string;
                        /** @description What wx.requestSubscribeMessage returned for it, e.g. accept or reject */
                        result: string;
                        /** @description Your id for the tap: reports with the same id count once */
                        tap_id?: string;
                        /** @description In ms since 1970; a time in the future counts as now */
                        tapped_at?: number;
                    }[];
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                };
            };
        };
        responses: {
            /** @description Stored, except for what is refused. The results are in the order of the items */
            201: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Permits stored now */
                        accepted: number;
                        /** @description The same tap, reported before */
                        duplicates: number;
                        /** @description No permit, each with a reason */
                        refused: number;
                        results: {
                            template_id?: string;
                            /** @description accepted, duplicate or refused */
                            outcome: string;
                            /** @description Why a refused one is not a permit. invalid: the item breaks a rule of this page, see error */
                            reason?: string;
                            error?: {
                                code: string;
                                message: string;
                                details?: {
                                    [key: string]: unknown;
                                };
                            };
                        }[];
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "user_not_bound";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults）
             *
             *     `unknown_template`: the account does not use this template, or is a service account, which uses no permits at all: details.known has those that it uses; add it to TEMPLATES, or report another one（该账号不使用这个模板，或是不用凭证的服务号：details.known 是可用的模板；请把它加进 TEMPLATES，或改报其他模板）
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request" | "unknown_template";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getPermits: {
        parameters: {
            query?: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id?: string;
                /** @description WeChat's id of the user in this app, in place of user_id */
                open_id?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the user has left, and whether to ask for more */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "permits": 3,
                     *       "days_covered": 3,
                     *       "covered_until": "2026-11-24",
                     *       "ask": true,
                     *       "reason": "few_left",
                     *       "templates": [
                     *         {
                     *           "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *           "permits": 0,
                     *           "ask": true,
                     *           "reason": "none_left"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /** @description Permits that a reminder could spend; at most 1,000 are counted */
                        permits: number;
                        /** @description Reminders possible in a row, one a day, starting with the next one */
                        days_covered: number;
                        /** @description The day of the last of these reminders */
                        covered_until: string | null;
                        /** @description Whether another permit would be useful now */
                        ask: boolean;
                        /** @description none_left, few_left, refused; enough, opted_out, blocked, not_needed */
                        reason: string;
                        /** @description The templates that wx.requestSubscribeMessage may ask for here, the reminder’s first: REMINDER_TEMPLATE_ID on the channel subscribe, and those of TEMPLATES. Empty for a service account */
                        templates: {
                            template_id: string;
                            /** @description Unspent subscriptions to it */
                            permits: number;
                            /** @description Whether another one would be useful now */
                            ask: boolean;
                            /** @description Why, or why not, in the same words */
                            reason: string;
                        }[];
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "user_not_bound";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getSignIn: {
        parameters: {
            query?: {
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id?: string;
                /** @description WeChat's id of the user in this app, in place of user_id */
                open_id?: string;
                /**
                 * @description Day as YYYY-MM-DD
                 * @example 2026-11-21
                 */
                date?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it stands */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 9001,
                     *       "date": "2026-11-21",
                     *       "signed_in": true,
                     *       "streak": 3,
                     *       "streak_before": 2
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        /**
                         * @description Day as YYYY-MM-DD
                         * @example 2026-11-21
                         */
                        date: string;
                        signed_in: boolean;
                        /** @description Consecutive days up to this one; 0 if not signed in on it */
                        streak: number;
                        /** @description Consecutive days up to the day before */
                        streak_before: number;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户）
             *
             *     `conflict`: the open_id belongs to another user; an erasure meets a message that is being sent: send it again after Retry-After（open_id 属于别的用户；或要删除的用户正有消息在发送：等 Retry-After 之后重发）
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "user_not_bound" | "conflict";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    recordSignIn: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "user_id": 9001
                 *     }
                 */
                "application/json": {
                    /**
                     * @description WeChat's id of the user in this app
                     * @example oDemo1
                     */
                    open_id?: string;
                    /**
                     * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                     * @example 10086
                     * @example 1234567890123456789
                     */
                    user_id?: number | string;
                    /**
                     * @description Day as YYYY-MM-DD
                     * @example 2026-11-21
                     */
                    date?: string;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                };
            };
        };
        responses: {
            /** @description Recorded, now or before */
            201: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "date": "2026-11-21",
                     *       "streak": 1
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description Day as YYYY-MM-DD
                         * @example 2026-11-21
                         */
                        date: string;
                        /** @description Consecutive days up to this one */
                        streak: number;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户）
             *
             *     `conflict`: the open_id belongs to another user; an erasure meets a message that is being sent: send it again after Retry-After（open_id 属于别的用户；或要删除的用户正有消息在发送：等 Retry-After 之后重发）
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "user_not_bound" | "conflict";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getForecast: {
        parameters: {
            query?: {
                /**
                 * @description How many days, 1 to 30; default 7
                 * @example 7
                 */
                days?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The coming days, in their order */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "from": "2026-11-21",
                     *       "as_of": "2026-11-20T14:30:00.000Z",
                     *       "days": [
                     *         {
                     *           "date": "2026-11-21",
                     *           "reachable": 61200,
                     *           "permits_left": 180300,
                     *           "going_dark": 9100,
                     *           "expected": 63900,
                     *           "expected_low": 62800,
                     *           "expected_high": 65100
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description Day as YYYY-MM-DD
                         * @example 2026-11-21
                         */
                        from: string;
                        /** @description When it was counted; null: not yet, a large account is counted every few minutes */
                        as_of: string | null;
                        days: {
                            /**
                             * @description Day as YYYY-MM-DD
                             * @example 2026-11-21
                             */
                            date: string;
                            /** @description Users who can be reminded on the day if no permit arrives, nobody signs in, and every earlier reminder is spent, oldest permit first */
                            reachable: number;
                            /** @description Permits valid at the firing of the day and not spent on earlier days */
                            permits_left: number;
                            /** @description Users who are reachable on the day and not on the next one with reminders */
                            going_dark: number;
                            /** @description reachable, changed by what arriving permits and sign-ins usually changed in the last 14 days; null without at least three days of history */
                            expected: number | null;
                            /** @description One day in ten was lower */
                            expected_low: number | null;
                            /** @description One day in ten was higher */
                            expected_high: number | null;
                        }[];
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listGoingDark: {
        parameters: {
            query: {
                /**
                 * @description Day as YYYY-MM-DD
                 * @example 2026-11-21
                 */
                date: string;
                /**
                 * @description How many users, 1 to 500; default 100
                 * @example 100
                 */
                limit?: string;
                /** @description `next` of the answer before this one */
                after?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of users, in the order of their ids */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "date": "2026-11-21",
                     *       "users": [
                     *         {
                     *           "user_id": 9001,
                     *           "permits": 1
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description Day as YYYY-MM-DD
                         * @example 2026-11-21
                         */
                        date: string;
                        users: {
                            /**
                             * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                             * @example 10086
                             * @example 1234567890123456789
                             */
                            user_id: number | string;
                            /** @description Permits of the user that a reminder can still spend */
                            permits: number;
                        }[];
                        /** @description Pass it as `after` for more; null: that was all. A page may be short, or empty, and still have it */
                        next: (number | string) | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listRuns: {
        parameters: {
            query?: {
                /**
                 * @description 1 to 100; 30 if left out
                 * @example 30
                 */
                limit?: string;
                /** @description `next` of the page before */
                before?: string;
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of runs */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "runs": [
                     *         {
                     *           "date": "2026-11-20",
                     *           "run_id": 5,
                     *           "state": "done",
                     *           "reason": null,
                     *           "reason_zh": null,
                     *           "remedy": null,
                     *           "remedy_zh": null,
                     *           "triggered_by": "cron",
                     *           "started_at": "2026-11-20T02:00:00.000Z",
                     *           "finished_at": "2026-11-20T02:01:12.000Z",
                     *           "updated_at": "2026-11-20T02:01:12.000Z",
                     *           "planned": 1200,
                     *           "due": 1200,
                     *           "claimed": 1200,
                     *           "delivered": 1199,
                     *           "failed": 1,
                     *           "unknown": 0,
                     *           "retrying": 0,
                     *           "cancelled": 0,
                     *           "in_hand": 0,
                     *           "skipped": {
                     *             "signed_in": 310,
                     *             "no_permit": 85,
                     *             "no_valid_permit": 12,
                     *             "opted_out": 4,
                     *             "blocked": 0,
                     *             "as_of": "2026-11-20T02:01:12.000Z"
                     *           },
                     *           "errors": [
                     *             {
                     *               "errcode": 40003,
                     *               "name": "invalid_openid",
                     *               "class": "user",
                     *               "finding": "user_of_other_app",
                     *               "meaning": "The open_id is not one of this account, or no longer follows it. Many at once: open_ids of another app.",
                     *               "meaning_zh": "openid 不属于该账号或已取消关注；大量出现说明 openid 来自其他应用",
                     *               "what_to_do": "Nothing: it is the wish or the state of the user. If there are suddenly many, find out why before the next run.",
                     *               "what_to_do_zh": "无需处理，这是用户本人的意愿或状态。如果突然很多，请在下次任务前查明原因。",
                     *               "fix": "If there are many, the backend uploads open_ids of another app: look at WX_APP_ID and at the login of the client.",
                     *               "fix_zh": "如果很多，说明后端上传了其他应用的 openid：检查 WX_APP_ID 和客户端登录。",
                     *               "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *               "outcome": "failed",
                     *               "count": 1,
                     *               "first_seen_at": "2026-11-20T02:00:41.000Z",
                     *               "last_seen_at": "2026-11-20T02:00:41.000Z",
                     *               "sample_rids": [
                     *                 "6742f1a3-0c9b2e7d-4f6188aa"
                     *               ],
                     *               "sample_message_ids": [
                     *                 4711
                     *               ]
                     *             }
                     *           ],
                     *           "delivery_status": {}
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        runs: {
                            /**
                             * @description Day as YYYY-MM-DD
                             * @example 2026-11-21
                             */
                            date: string;
                            /** @description null: there is no run of that day */
                            run_id: number | null;
                            /** @description not_started, running, done, halted, paused, limited, window_closed, missed */
                            state: string;
                            /** @description Why it stands so */
                            reason: string | null;
                            /** @description The same in Chinese */
                            reason_zh: string | null;
                            /** @description What to do; null: nothing */
                            remedy: string | null;
                            /** @description The same in Chinese */
                            remedy_zh: string | null;
                            /** @description cron, catch-up or manual */
                            triggered_by: string | null;
                            /** @description When it was started last */
                            started_at: string | null;
                            /** @description null: it has not ended */
                            finished_at: string | null;
                            /** @description When its row was changed last */
                            updated_at: string | null;
                            /** @description Users expected when it was opened; null: not known */
                            planned: number | null;
                            /** @description Users who were due, as counted when it ended; null: it is running */
                            due: number | null;
                            /** @description Messages claimed so far, those given back included */
                            claimed: number;
                            /** @description WeChat accepted them */
                            delivered: number;
                            /** @description Refused; not delivered */
                            failed: number;
                            /** @description May have been delivered */
                            unknown: number;
                            /** @description Wait for another attempt */
                            retrying: number;
                            /** @description Given back, or withdrawn for another attempt with the next permit */
                            cancelled: number;
                            /** @description In the hands of processes */
                            in_hand: number;
                            /** @description Users whom the run passed over, each by the first cause that was found */
                            skipped: {
                                /** @description Had a permit left, and had signed in */
                                signed_in: number | null;
                                /** @description Had no permit. null on a service account, which needs none */
                                no_permit: number | null;
                                /** @description Had permits, but none that could still be spent. null on a service account */
                                no_valid_permit: number | null;
                                /** @description Had a permit left, and had opted out */
                                opted_out: number | null;
                                /** @description Had a permit left, and could not be reached */
                                blocked: number | null;
                                /** @description When they were summed up: whenever a process leaves the run. null: not yet */
                                as_of: string | null;
                            };
                            /** @description By code and outcome, the most frequent first */
                            errors: {
                                /** @description WeChat's code; null if there was none */
                                errcode: number | null;
                                /** @description Name of the code, or why there was none */
                                name: string;
                                /** @description Class of the code, which decides what follows from it */
                                class: string;
                                /** @description Name of the known error that it is, see docs/troubleshooting.md; null: none of them */
                                finding: string | null;
                                meaning: string;
                                meaning_zh: string;
                                what_to_do: string;
                                what_to_do_zh: string;
                                /** @description What mends this known error; null: see what_to_do */
                                fix: string | null;
                                /** @description The same in Chinese */
                                fix_zh: string | null;
                                template_id: string;
                                /** @description failed, unknown, cancelled: messages in that state now. retried, next_permit: attempts after which the message was tried again, or went on with the next permit */
                                outcome: string;
                                count: number;
                                /** @description null: not known */
                                first_seen_at: string | null;
                                /** @description null: not known */
                                last_seen_at: string | null;
                                /** @description WeChat's ids of requests, for their support */
                                sample_rids: string[];
                                sample_message_ids: number[];
                            }[];
                            /** @description Messages by what WeChat's events said of their delivery; form_id has no such events */
                            delivery_status: {
                                [key: string]: number;
                            };
                        }[];
                        /** @description Pass it as `before` for older runs; null: there are none */
                        next: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getRun: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description Day as YYYY-MM-DD, in the zone of the account
                 * @example 2026-11-20
                 */
                date: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it stands at this moment */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "date": "2026-11-20",
                     *       "run_id": 5,
                     *       "state": "done",
                     *       "reason": null,
                     *       "reason_zh": null,
                     *       "remedy": null,
                     *       "remedy_zh": null,
                     *       "triggered_by": "cron",
                     *       "started_at": "2026-11-20T02:00:00.000Z",
                     *       "finished_at": "2026-11-20T02:01:12.000Z",
                     *       "updated_at": "2026-11-20T02:01:12.000Z",
                     *       "planned": 1200,
                     *       "due": 1200,
                     *       "claimed": 1200,
                     *       "delivered": 1199,
                     *       "failed": 1,
                     *       "unknown": 0,
                     *       "retrying": 0,
                     *       "cancelled": 0,
                     *       "in_hand": 0,
                     *       "skipped": {
                     *         "signed_in": 310,
                     *         "no_permit": 85,
                     *         "no_valid_permit": 12,
                     *         "opted_out": 4,
                     *         "blocked": 0,
                     *         "as_of": "2026-11-20T02:01:12.000Z"
                     *       },
                     *       "errors": [
                     *         {
                     *           "errcode": 40003,
                     *           "name": "invalid_openid",
                     *           "class": "user",
                     *           "finding": "user_of_other_app",
                     *           "meaning": "The open_id is not one of this account, or no longer follows it. Many at once: open_ids of another app.",
                     *           "meaning_zh": "openid 不属于该账号或已取消关注；大量出现说明 openid 来自其他应用",
                     *           "what_to_do": "Nothing: it is the wish or the state of the user. If there are suddenly many, find out why before the next run.",
                     *           "what_to_do_zh": "无需处理，这是用户本人的意愿或状态。如果突然很多，请在下次任务前查明原因。",
                     *           "fix": "If there are many, the backend uploads open_ids of another app: look at WX_APP_ID and at the login of the client.",
                     *           "fix_zh": "如果很多，说明后端上传了其他应用的 openid：检查 WX_APP_ID 和客户端登录。",
                     *           "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *           "outcome": "failed",
                     *           "count": 1,
                     *           "first_seen_at": "2026-11-20T02:00:41.000Z",
                     *           "last_seen_at": "2026-11-20T02:00:41.000Z",
                     *           "sample_rids": [
                     *             "6742f1a3-0c9b2e7d-4f6188aa"
                     *           ],
                     *           "sample_message_ids": [
                     *             4711
                     *           ]
                     *         }
                     *       ],
                     *       "delivery_status": {},
                     *       "next_firing_at": null,
                     *       "progress": null,
                     *       "rate_per_second": 16.7,
                     *       "expected_finish_at": null,
                     *       "expected_end": null,
                     *       "quota": {
                     *         "path": "/cgi-bin/message/subscribe/send",
                     *         "daily_limit": 10000000,
                     *         "left": 9998800,
                     *         "reserved": 0,
                     *         "asked_at": "2026-11-20T02:00:00.000Z",
                     *         "enough": true,
                     *         "note": null,
                     *         "note_zh": null
                     *       },
                     *       "open": null
                     *     }
                     */
                    "application/json": {
                        /**
                         * @description Day as YYYY-MM-DD
                         * @example 2026-11-21
                         */
                        date: string;
                        /** @description null: there is no run of that day */
                        run_id: number | null;
                        /** @description not_started, running, done, halted, paused, limited, window_closed, missed */
                        state: string;
                        /** @description Why it stands so */
                        reason: string | null;
                        /** @description The same in Chinese */
                        reason_zh: string | null;
                        /** @description What to do; null: nothing */
                        remedy: string | null;
                        /** @description The same in Chinese */
                        remedy_zh: string | null;
                        /** @description cron, catch-up or manual */
                        triggered_by: string | null;
                        /** @description When it was started last */
                        started_at: string | null;
                        /** @description null: it has not ended */
                        finished_at: string | null;
                        /** @description When its row was changed last */
                        updated_at: string | null;
                        /** @description Users expected when it was opened; null: not known */
                        planned: number | null;
                        /** @description Users who were due, as counted when it ended; null: it is running */
                        due: number | null;
                        /** @description Messages claimed so far, those given back included */
                        claimed: number;
                        /** @description WeChat accepted them */
                        delivered: number;
                        /** @description Refused; not delivered */
                        failed: number;
                        /** @description May have been delivered */
                        unknown: number;
                        /** @description Wait for another attempt */
                        retrying: number;
                        /** @description Given back, or withdrawn for another attempt with the next permit */
                        cancelled: number;
                        /** @description In the hands of processes */
                        in_hand: number;
                        /** @description Users whom the run passed over, each by the first cause that was found */
                        skipped: {
                            /** @description Had a permit left, and had signed in */
                            signed_in: number | null;
                            /** @description Had no permit. null on a service account, which needs none */
                            no_permit: number | null;
                            /** @description Had permits, but none that could still be spent. null on a service account */
                            no_valid_permit: number | null;
                            /** @description Had a permit left, and had opted out */
                            opted_out: number | null;
                            /** @description Had a permit left, and could not be reached */
                            blocked: number | null;
                            /** @description When they were summed up: whenever a process leaves the run. null: not yet */
                            as_of: string | null;
                        };
                        /** @description By code and outcome, the most frequent first */
                        errors: {
                            /** @description WeChat's code; null if there was none */
                            errcode: number | null;
                            /** @description Name of the code, or why there was none */
                            name: string;
                            /** @description Class of the code, which decides what follows from it */
                            class: string;
                            /** @description Name of the known error that it is, see docs/troubleshooting.md; null: none of them */
                            finding: string | null;
                            meaning: string;
                            meaning_zh: string;
                            what_to_do: string;
                            what_to_do_zh: string;
                            /** @description What mends this known error; null: see what_to_do */
                            fix: string | null;
                            /** @description The same in Chinese */
                            fix_zh: string | null;
                            template_id: string;
                            /** @description failed, unknown, cancelled: messages in that state now. retried, next_permit: attempts after which the message was tried again, or went on with the next permit */
                            outcome: string;
                            count: number;
                            /** @description null: not known */
                            first_seen_at: string | null;
                            /** @description null: not known */
                            last_seen_at: string | null;
                            /** @description WeChat's ids of requests, for their support */
                            sample_rids: string[];
                            sample_message_ids: number[];
                        }[];
                        /** @description Messages by what WeChat's events said of their delivery; form_id has no such events */
                        delivery_status: {
                            [key: string]: number;
                        };
                        /** @description When it is due to start; null: it has started, or will not */
                        next_firing_at: string | null;
                        /** @description Share of the users that it has read, 0 to 1, while it runs */
                        progress: number | null;
                        /** @description Messages ended per second since it was started last */
                        rate_per_second: number | null;
                        /** @description null: not running, waiting for WeChat, or too early to say */
                        expected_finish_at: string | null;
                        /** @description What it is expected to end by then: everybody is reminded, the quota is used up, or SEND_UNTIL has come */
                        expected_end: ("done" | "quota" | "window_closed") | null;
                        /** @description null: of another day, or WeChat has not told it */
                        quota: {
                            /** @description WeChat's path that takes the messages */
                            path: string;
                            /** @description Calls a day */
                            daily_limit: number;
                            /** @description Calls left now: as WeChat told, less what has gone out since */
                            left: number;
                            /** @description Kept for today's reminders, before messages of backends */
                            reserved: number;
                            /**
                             * Format: date-time
                             * @description When WeChat told it; on another day, left is a whole daily limit less what went out
                             */
                            asked_at: string;
                            /** @description Whether the reminders of today fit into what is left */
                            enough: boolean;
                            /** @description What follows if they do not */
                            note: string | null;
                            /** @description The same in Chinese */
                            note_zh: string | null;
                        } | null;
                        /** @description null: everything is settled */
                        open: {
                            /** @description Held by processes, or by one that has just died */
                            in_hand: number;
                            /** @description When any process may take these over if nobody renews the lease */
                            in_hand_until: string | null;
                            /** @description Left by a process that died, to be taken over now */
                            lapsed: number;
                            /** @description To be retried now */
                            retries_due: number;
                            /** @description To be retried later */
                            retries_later: number;
                            /** @description The first of these */
                            next_retry_at: string | null;
                        } | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listMessages: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
                /** @description Where the message stands */
                state?: "queued" | "sending" | "retry" | "delivered" | "failed" | "unknown" | "cancelled" | "no_permit" | "expired" | "dead";
                /**
                 * @description The owner's number for the user
                 * @example 9001
                 */
                user_id?: string;
                /**
                 * @description The template
                 * @example TEMPLATE-ID-OF-YOUR-ACCOUNT
                 */
                template_id?: string;
                /**
                 * @description 1 to 100; 30 if left out
                 * @example 30
                 */
                limit?: string;
                /** @description `next` of the page before */
                before?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the list */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "items": [
                     *         {
                     *           "id": 1,
                     *           "trace_id": "message-1",
                     *           "state": "delivered",
                     *           "meaning": "WeChat accepted it.",
                     *           "meaning_zh": "微信已接收。",
                     *           "user_id": 9001,
                     *           "channel": "form_id",
                     *           "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *           "data": {
                     *             "keyword1": "您的包裹已到驿站",
                     *             "keyword2": "取件码 8-2-1024",
                     *             "keyword4": "2026.11.21"
                     *           },
                     *           "page": "pages/parcel/index",
                     *           "not_before_at": "2026-11-21T02:00:00.000Z",
                     *           "not_after_at": "2026-11-22T02:00:00.000Z",
                     *           "next_attempt_at": null,
                     *           "permit_id": 1,
                     *           "attempts": [
                     *             {
                     *               "at": "2026-11-21T02:00:01.000Z",
                     *               "outcome": "accepted",
                     *               "answer": null,
                     *               "errmsg": null,
                     *               "rid": null,
                     *               "msgid": null,
                     *               "permit_id": 1
                     *             }
                     *           ],
                     *           "maybe_sent": false,
                     *           "msgid": null,
                     *           "delivery_status": null,
                     *           "requeues": 0,
                     *           "submitted_by": "shop",
                     *           "created_at": "2026-11-21T02:00:00.000Z",
                     *           "settled_at": "2026-11-21T02:00:01.000Z"
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        items: {
                            id: number;
                            /** @description Of its lines in the log */
                            trace_id: string;
                            /**
                             * @description Where the message stands
                             * @enum {string}
                             */
                            state: "queued" | "sending" | "retry" | "delivered" | "failed" | "unknown" | "cancelled" | "no_permit" | "expired" | "dead";
                            /** @description What the state means, and what to do */
                            meaning: string;
                            meaning_zh: string;
                            /**
                             * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                             * @example 10086
                             * @example 1234567890123456789
                             */
                            user_id: number | string;
                            channel: string;
                            template_id: string;
                            data: {
                                [key: string]: string;
                            };
                            page: string;
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            not_before_at: string;
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            not_after_at: string;
                            next_attempt_at: string | null;
                            permit_id: number | null;
                            /** @description Each request that was made, in order */
                            attempts: {
                                /**
                                 * Format: date-time
                                 * @description In UTC
                                 */
                                at: string;
                                /** @description accepted, refused, unreachable, ambiguous or interrupted */
                                outcome: string;
                                answer: {
                                    errcode: number;
                                    name: string;
                                    meaning: string;
                                    meaning_zh: string;
                                } | null;
                                errmsg: string | null;
                                rid: string | null;
                                msgid: string | null;
                                permit_id: number | null;
                            }[];
                            /** @description An attempt may have reached WeChat, and its answer is not known */
                            maybe_sent: boolean;
                            msgid: string | null;
                            delivery_status: string | null;
                            /** @description How often it was queued again */
                            requeues: number;
                            /** @description The name of the API key */
                            submitted_by: string;
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            created_at: string;
                            settled_at: string | null;
                        }[];
                        next: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    submitMessages: {
        parameters: {
            query?: never;
            header: {
                /**
                 * @description Your name for this request, 1 to 128 printable characters. Sent again with the same body, it gets the same answer and nothing is queued twice
                 * @example parcel-20261121-9001
                 */
                "idempotency-key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                     * @example 10086
                     * @example 1234567890123456789
                     */
                    user_id?: number | string;
                    /**
                     * @description WeChat's id of the user in this app
                     * @example oDemo1
                     */
                    open_id?: string;
                    /** @description The reminder's template, or one of the account's templates */
                    template_id: string;
                    /** @description The text of each key of the template */
                    data: {
                        [key: string]: string;
                    };
                    /** @description What a tap opens, such as pages/parcel/index; left out: nothing. On a service account a page of the mini-program of its reminder, or a web address; left out: what its reminder opens */
                    page?: string;
                    /** @description Not sent before this time, in ms since 1970; left out: at once */
                    not_before?: number;
                    /** @description Not sent from this time on, in ms since 1970; left out: a day after not_before */
                    not_after?: number;
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                } | {
                    items: {
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id?: number | string;
                        /**
                         * @description WeChat's id of the user in this app
                         * @example oDemo1
                         */
                        open_id?: string;
                        /** @description The reminder's template, or one of the account's templates */
                        template_id: string;
                        /** @description The text of each key of the template */
                        data: {
                            [key: string]: string;
                        };
                        /** @description What a tap opens, such as pages/parcel/index; left out: nothing. On a service account a page of the mini-program of its reminder, or a web address; left out: what its reminder opens */
                        page?: string;
                        /** @description Not sent before this time, in ms since 1970; left out: at once */
                        not_before?: number;
                        /** @description Not sent from this time on, in ms since 1970; left out: a day after not_before */
                        not_after?: number;
                    }[];
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                };
            };
        };
        responses: {
            /** @description Stored, with the permits reserved. The rest is sent in the background */
            202: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Of the message */
                        id: number;
                        /**
                         * @description no_permit: the user has none that would still be valid; it will not be sent
                         * @enum {string}
                         */
                        state: "queued" | "no_permit";
                    } | {
                        /** @description Of a batch: one for each message, in their order. Those with an error are not stored */
                        results: ({
                            /** @description Of the message */
                            id: number;
                            /**
                             * @description no_permit: the user has none that would still be valid; it will not be sent
                             * @enum {string}
                             */
                            state: "queued" | "no_permit";
                        } | {
                            error: {
                                code: string;
                                message: string;
                                details?: {
                                    [key: string]: unknown;
                                };
                            };
                        })[];
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `idempotency_conflict`: the Idempotency-Key was sent before with another body: give each request a key of its own（该 Idempotency-Key 已用于内容不同的请求：每个请求用自己的键）
             *
             *     `user_stopped`: the user wants no messages, or WeChat lets none through（用户不接收消息，或被微信拦截）
             *
             *     `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户）
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "idempotency_conflict" | "user_stopped" | "user_not_bound";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults）
             *
             *     `unknown_template`: the account does not use this template, or is a service account, which uses no permits at all: details.known has those that it uses; add it to TEMPLATES, or report another one（该账号不使用这个模板，或是不用凭证的服务号：details.known 是可用的模板；请把它加进 TEMPLATES，或改报其他模板）
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request" | "unknown_template";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待）
             *
             *     `too_many_messages`: the user has 20 messages that are not sent yet: wait until some are, or cancel some（该用户已有 20 条消息未发出：等一些发出，或取消一些）
             */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests" | "too_many_messages";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getMessage: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The id of the message
                 * @example 1
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it stands */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "trace_id": "message-1",
                     *       "state": "delivered",
                     *       "meaning": "WeChat accepted it.",
                     *       "meaning_zh": "微信已接收。",
                     *       "user_id": 9001,
                     *       "channel": "form_id",
                     *       "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *       "data": {
                     *         "keyword1": "您的包裹已到驿站",
                     *         "keyword2": "取件码 8-2-1024",
                     *         "keyword4": "2026.11.21"
                     *       },
                     *       "page": "pages/parcel/index",
                     *       "not_before_at": "2026-11-21T02:00:00.000Z",
                     *       "not_after_at": "2026-11-22T02:00:00.000Z",
                     *       "next_attempt_at": null,
                     *       "permit_id": 1,
                     *       "attempts": [
                     *         {
                     *           "at": "2026-11-21T02:00:01.000Z",
                     *           "outcome": "accepted",
                     *           "answer": null,
                     *           "errmsg": null,
                     *           "rid": null,
                     *           "msgid": null,
                     *           "permit_id": 1
                     *         }
                     *       ],
                     *       "maybe_sent": false,
                     *       "msgid": null,
                     *       "delivery_status": null,
                     *       "requeues": 0,
                     *       "submitted_by": "shop",
                     *       "created_at": "2026-11-21T02:00:00.000Z",
                     *       "settled_at": "2026-11-21T02:00:01.000Z"
                     *     }
                     */
                    "application/json": {
                        id: number;
                        /** @description Of its lines in the log */
                        trace_id: string;
                        /**
                         * @description Where the message stands
                         * @enum {string}
                         */
                        state: "queued" | "sending" | "retry" | "delivered" | "failed" | "unknown" | "cancelled" | "no_permit" | "expired" | "dead";
                        /** @description What the state means, and what to do */
                        meaning: string;
                        meaning_zh: string;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        channel: string;
                        template_id: string;
                        data: {
                            [key: string]: string;
                        };
                        page: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        not_before_at: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        not_after_at: string;
                        next_attempt_at: string | null;
                        permit_id: number | null;
                        /** @description Each request that was made, in order */
                        attempts: {
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            at: string;
                            /** @description accepted, refused, unreachable, ambiguous or interrupted */
                            outcome: string;
                            answer: {
                                errcode: number;
                                name: string;
                                meaning: string;
                                meaning_zh: string;
                            } | null;
                            errmsg: string | null;
                            rid: string | null;
                            msgid: string | null;
                            permit_id: number | null;
                        }[];
                        /** @description An attempt may have reached WeChat, and its answer is not known */
                        maybe_sent: boolean;
                        msgid: string | null;
                        delivery_status: string | null;
                        /** @description How often it was queued again */
                        requeues: number;
                        /** @description The name of the API key */
                        submitted_by: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        created_at: string;
                        settled_at: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    cancelMessage: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The id of the message
                 * @example 1
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it stands */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "trace_id": "message-1",
                     *       "state": "delivered",
                     *       "meaning": "WeChat accepted it.",
                     *       "meaning_zh": "微信已接收。",
                     *       "user_id": 9001,
                     *       "channel": "form_id",
                     *       "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *       "data": {
                     *         "keyword1": "您的包裹已到驿站",
                     *         "keyword2": "取件码 8-2-1024",
                     *         "keyword4": "2026.11.21"
                     *       },
                     *       "page": "pages/parcel/index",
                     *       "not_before_at": "2026-11-21T02:00:00.000Z",
                     *       "not_after_at": "2026-11-22T02:00:00.000Z",
                     *       "next_attempt_at": null,
                     *       "permit_id": 1,
                     *       "attempts": [
                     *         {
                     *           "at": "2026-11-21T02:00:01.000Z",
                     *           "outcome": "accepted",
                     *           "answer": null,
                     *           "errmsg": null,
                     *           "rid": null,
                     *           "msgid": null,
                     *           "permit_id": 1
                     *         }
                     *       ],
                     *       "maybe_sent": false,
                     *       "msgid": null,
                     *       "delivery_status": null,
                     *       "requeues": 0,
                     *       "submitted_by": "shop",
                     *       "created_at": "2026-11-21T02:00:00.000Z",
                     *       "settled_at": "2026-11-21T02:00:01.000Z"
                     *     }
                     */
                    "application/json": {
                        id: number;
                        /** @description Of its lines in the log */
                        trace_id: string;
                        /**
                         * @description Where the message stands
                         * @enum {string}
                         */
                        state: "queued" | "sending" | "retry" | "delivered" | "failed" | "unknown" | "cancelled" | "no_permit" | "expired" | "dead";
                        /** @description What the state means, and what to do */
                        meaning: string;
                        meaning_zh: string;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        channel: string;
                        template_id: string;
                        data: {
                            [key: string]: string;
                        };
                        page: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        not_before_at: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        not_after_at: string;
                        next_attempt_at: string | null;
                        permit_id: number | null;
                        /** @description Each request that was made, in order */
                        attempts: {
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            at: string;
                            /** @description accepted, refused, unreachable, ambiguous or interrupted */
                            outcome: string;
                            answer: {
                                errcode: number;
                                name: string;
                                meaning: string;
                                meaning_zh: string;
                            } | null;
                            errmsg: string | null;
                            rid: string | null;
                            msgid: string | null;
                            permit_id: number | null;
                        }[];
                        /** @description An attempt may have reached WeChat, and its answer is not known */
                        maybe_sent: boolean;
                        msgid: string | null;
                        delivery_status: string | null;
                        /** @description How often it was queued again */
                        requeues: number;
                        /** @description The name of the API key */
                        submitted_by: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        created_at: string;
                        settled_at: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `message_sent`: too late to cancel: the message is being sent, may have been sent, or has ended（来不及取消：消息正在发送、可能已发出，或已有结果） */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "message_sent";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    requeueMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the message
                 * @example 1
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /** @example {} */
                "application/json": {
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                    /** @description Not sent from this time on, in ms since 1970; left out: as before */
                    not_after?: number;
                };
            };
        };
        responses: {
            /** @description How it stands */
            202: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "trace_id": "message-1",
                     *       "state": "delivered",
                     *       "meaning": "WeChat accepted it.",
                     *       "meaning_zh": "微信已接收。",
                     *       "user_id": 9001,
                     *       "channel": "form_id",
                     *       "template_id": "TEMPLATE-ID-OF-YOUR-ACCOUNT",
                     *       "data": {
                     *         "keyword1": "您的包裹已到驿站",
                     *         "keyword2": "取件码 8-2-1024",
                     *         "keyword4": "2026.11.21"
                     *       },
                     *       "page": "pages/parcel/index",
                     *       "not_before_at": "2026-11-21T02:00:00.000Z",
                     *       "not_after_at": "2026-11-22T02:00:00.000Z",
                     *       "next_attempt_at": null,
                     *       "permit_id": 1,
                     *       "attempts": [
                     *         {
                     *           "at": "2026-11-21T02:00:01.000Z",
                     *           "outcome": "accepted",
                     *           "answer": null,
                     *           "errmsg": null,
                     *           "rid": null,
                     *           "msgid": null,
                     *           "permit_id": 1
                     *         }
                     *       ],
                     *       "maybe_sent": false,
                     *       "msgid": null,
                     *       "delivery_status": null,
                     *       "requeues": 0,
                     *       "submitted_by": "shop",
                     *       "created_at": "2026-11-21T02:00:00.000Z",
                     *       "settled_at": "2026-11-21T02:00:01.000Z"
                     *     }
                     */
                    "application/json": {
                        id: number;
                        /** @description Of its lines in the log */
                        trace_id: string;
                        /**
                         * @description Where the message stands
                         * @enum {string}
                         */
                        state: "queued" | "sending" | "retry" | "delivered" | "failed" | "unknown" | "cancelled" | "no_permit" | "expired" | "dead";
                        /** @description What the state means, and what to do */
                        meaning: string;
                        meaning_zh: string;
                        /**
                         * @description The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991
                         * @example 10086
                         * @example 1234567890123456789
                         */
                        user_id: number | string;
                        channel: string;
                        template_id: string;
                        data: {
                            [key: string]: string;
                        };
                        page: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        not_before_at: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        not_after_at: string;
                        next_attempt_at: string | null;
                        permit_id: number | null;
                        /** @description Each request that was made, in order */
                        attempts: {
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            at: string;
                            /** @description accepted, refused, unreachable, ambiguous or interrupted */
                            outcome: string;
                            answer: {
                                errcode: number;
                                name: string;
                                meaning: string;
                                meaning_zh: string;
                            } | null;
                            errmsg: string | null;
                            rid: string | null;
                            msgid: string | null;
                            permit_id: number | null;
                        }[];
                        /** @description An attempt may have reached WeChat, and its answer is not known */
                        maybe_sent: boolean;
                        msgid: string | null;
                        delivery_status: string | null;
                        /** @description How often it was queued again */
                        requeues: number;
                        /** @description The name of the API key */
                        submitted_by: string;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        created_at: string;
                        settled_at: string | null;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `message_not_dead`: only a dead letter can be queued again（只有死信才能重新排队）
             *
             *     `message_expired`: the message's not_after is over: send not_after to queue it again（消息的 not_after 已过：重新排队时请带上新的 not_after）
             *
             *     `no_permit`: the user has no permit that would be valid: queue it again when there is one（用户没有可用凭证：等有了再重新排队）
             *
             *     `user_stopped`: the user wants no messages, or WeChat lets none through（用户不接收消息，或被微信拦截）
             *
             *     `user_not_bound`: the session's open_id has no user yet（会话的 open_id 还没有绑定用户）
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "message_not_dead" | "message_expired" | "no_permit" | "user_stopped" | "user_not_bound";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待）
             *
             *     `too_many_messages`: the user has 20 messages that are not sent yet: wait until some are, or cancel some（该用户已有 20 条消息未发出：等一些发出，或取消一些）
             */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests" | "too_many_messages";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    listWebhookDeliveries: {
        parameters: {
            query?: {
                /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                app_id?: string;
                /** @description delivered: the webhook answered 2xx. failed: given up. waiting: in between */
                state?: "waiting" | "delivered" | "failed";
                /**
                 * @description The id of the message
                 * @example 1
                 */
                message_id?: string;
                /**
                 * @description 1 to 100; 30 if left out
                 * @example 30
                 */
                limit?: string;
                /** @description `next` of the page before */
                before?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the log */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "items": [
                     *         {
                     *           "id": 1,
                     *           "webhook_id": "event-1-1795226401000",
                     *           "type": "message.delivered",
                     *           "message_id": 1,
                     *           "state": "delivered",
                     *           "attempts": 1,
                     *           "http_status": 204,
                     *           "error": null,
                     *           "next_attempt_at": null,
                     *           "created_at": "2026-11-21T02:00:01.000Z",
                     *           "ended_at": "2026-11-21T02:00:02.000Z"
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": {
                        items: {
                            id: number;
                            /** @description The header `webhook-id` of its requests */
                            webhook_id: string;
                            /** @description `message.` and the state that the message reached, or `reported` */
                            type: string;
                            message_id: number;
                            /**
                             * @description delivered: the webhook answered 2xx. failed: given up. waiting: in between
                             * @enum {string}
                             */
                            state: "waiting" | "delivered" | "failed";
                            /** @description Requests that were begun */
                            attempts: number;
                            http_status: number | null;
                            error: string | null;
                            next_attempt_at: string | null;
                            /**
                             * Format: date-time
                             * @description In UTC
                             */
                            created_at: string;
                            ended_at: string | null;
                        }[];
                        next: string | null;
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id） */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    redeliverWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the delivery
                 * @example 1
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /** @example {} */
                "application/json": {
                    /** @description The account; may be left out where there is only one, or the API key is bound to only one */
                    app_id?: string;
                };
            };
        };
        responses: {
            /** @description How it stands */
            202: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "webhook_id": "event-1-1795226401000",
                     *       "type": "message.delivered",
                     *       "message_id": 1,
                     *       "state": "delivered",
                     *       "attempts": 1,
                     *       "http_status": 204,
                     *       "error": null,
                     *       "next_attempt_at": null,
                     *       "created_at": "2026-11-21T02:00:01.000Z",
                     *       "ended_at": "2026-11-21T02:00:02.000Z"
                     *     }
                     */
                    "application/json": {
                        id: number;
                        /** @description The header `webhook-id` of its requests */
                        webhook_id: string;
                        /** @description `message.` and the state that the message reached, or `reported` */
                        type: string;
                        message_id: number;
                        /**
                         * @description delivered: the webhook answered 2xx. failed: given up. waiting: in between
                         * @enum {string}
                         */
                        state: "waiting" | "delivered" | "failed";
                        /** @description Requests that were begun */
                        attempts: number;
                        http_status: number | null;
                        error: string | null;
                        next_attempt_at: string | null;
                        /**
                         * Format: date-time
                         * @description In UTC
                         */
                        created_at: string;
                        ended_at: string | null;
                    };
                };
            };
            /** @description `malformed_json`: the body is not JSON, or not as long as its Content-Length says（请求体不是 JSON，或长度与 Content-Length 不符） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_json";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `unknown_account`: no such account is served here: look at app_id（这里没有该账号，请检查 app_id）
             *
             *     `not_found`: no such address, or no such user（没有这个地址，或没有这个用户）
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unknown_account" | "not_found";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `payload_too_large`: a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session（请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB） */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "payload_too_large";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `unsupported_media_type`: send Content-Type: application/json（要带 Content-Type: application/json） */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unsupported_media_type";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `invalid_request`: details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults） */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "invalid_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /**
             * @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发）
             *
             *     `overloaded`: somebody else holds what the request needs: after Retry-After send the same again（需要的行被别人占着：等 Retry-After 之后原样重发）
             */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready" | "overloaded";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The process answers */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok",
                     *       "version": "0.1.0"
                     *     }
                     */
                    "application/json": {
                        /** @enum {string} */
                        status: "ok";
                        /** @description Of the program that answers */
                        version: string;
                    };
                };
            };
            /** @description `malformed_request`: not HTTP that can be understood（无法识别的 HTTP 请求） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can do its work */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok"
                     *     }
                     */
                    "application/json": {
                        /** @enum {string} */
                        status: "ok";
                    };
                };
            };
            /** @description `malformed_request`: not HTTP that can be understood（无法识别的 HTTP 请求） */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "malformed_request";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `not_ready`: the database is away: after Retry-After send the same again（数据库不可用：等 Retry-After 之后原样重发） */
            503: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_ready";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
    readMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All metrics of this process */
            200: {
                headers: {
                    /** @description The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example # HELP reminder_database_up Whether the database answers
                     *     # TYPE reminder_database_up gauge
                     *     reminder_database_up 1
                     */
                    "text/plain": string;
                };
            };
            /** @description `unauthorized`: no key or session, or a wrong or expired one（没带密钥或会话，或不对、已过期） */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `forbidden`: a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names（会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号） */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "forbidden";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `too_many_requests`: wait for Retry-After（按 Retry-After 等待） */
            429: {
                headers: {
                    /** @description Seconds after which it may be sent again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "too_many_requests";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
            /** @description `internal`: our fault; the log says what（我方的错，日志里有原因） */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "internal";
                            /** @description For people: what is wrong and what to do */
                            message: string;
                            details?: {
                                [key: string]: unknown;
                            };
                        };
                    };
                };
            };
        };
    };
}
