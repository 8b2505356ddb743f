// The walk with the generated client: `scripts/clients` compiles it against a service that it starts.

import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import {
    user1Create,
    user1Login,
    user1Logout,
    user1Profile,
    user1RefreshToken,
    user1Verify,
    type Problem,
} from "./sealgate";
import { createClient, createConfig } from "./sealgate/client";

function setting(name: string): string {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set`);
    return value;
}

/** What was answered, or the problem as an exception. */
function answered<T>(result: { data?: T; error?: Problem | string }): T {
    if (result.data === undefined) throw new Error(JSON.stringify(result.error));
    return result.data;
}

function check(holds: boolean, what: string): void {
    if (!holds) throw new Error(`not so: ${what}`);
}

/** The token of the link in the mail to that address, once it lies in the outbox. */
async function mailedToken(address: string): Promise<string> {
    const outbox = setting("SEALGATE_OUTBOX");
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
        const files = existsSync(outbox) ? readdirSync(outbox) : [];
        for (const file of files.filter((name) => name.endsWith(".eml"))) {
            const mail = readFileSync(join(outbox, file), "utf8").replace(/=\r?\n/g, "").replaceAll("=3D", "=");
            const token = /\?token=([\w-]+)/.exec(mail)?.[1];
            if (token && mail.includes(`To: ${address}`)) return token;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("no mail within 30 s");
}

async function walk(): Promise<void> {
    let access: string | undefined;
    const client = createClient(createConfig({ baseUrl: setting("SEALGATE_URL"), auth: () => access }));
    const email = `typescript-${randomUUID()}@example.com`;
    const password = "SecureP@ssw0rd123!";

    const body = { first_name: "Ada", last_name: "Lovelace", email, phone: "+12025550123", country_code: "US", password };
    const headers = { "Idempotency-Key": randomUUID() };
    const created = answered(await user1Create({ client, body, headers }));
    const again = answered(await user1Create({ client, body, headers }));
    check(created.id === again.id, "the same Idempotency-Key, the same registration");

    answered(await user1Verify({ client, body: { token: await mailedToken(email) } }));

    const login = answered(await user1Login({ client, body: { username: email, password } }));
    access = login.access_token;
    const profile = answered(await user1Profile({ client }));
    check(profile.email === email && profile.id === created.id, "the profile is one's own");
    check(profile.is_email_verified && profile.attributes === null, "the profile is whole");

    const refreshed = answered(await user1RefreshToken({ client, body: { refresh_token: login.refresh_token } }));
    check(refreshed.refresh_token !== login.refresh_token, "a refresh token works once");
    access = refreshed.access_token;
    answered(await user1Profile({ client }));
    answered(await user1Logout({ client }));

    const refused = await user1Profile({ client });
    check(refused.response?.status === 401, "signed out is signed out");
    check(refused.error?.code === "invalid_token", "the problem says why");
    check(refused.error?.type === "/errors#invalid_token", "the problem leads to its explanation");
    console.log("TypeScript: create, mail, verify, login, profile, refresh, logout");
}

walk().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
});
