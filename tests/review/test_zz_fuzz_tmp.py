"""quick fuzz"""
import json, itertools
import pytest
from omnicrm.domain.resource import RESOURCES
from tests.resources.conftest import *  # noqa
HUGE=10**30
VALS=[HUGE,-HUGE,2**63,2**63-1,-2**63,2**53+1,1e308,1e400 if False else 1.5,True,False,None,[[[[1]]]],{"a":{"b":[1]}},"\x00","a\x00b","\ud800","9"*5000,"1e999999","NaN","Infinity","","x"*70000,"٣","²","1_0","0x10",-1,0,"2025-01-01T00:00:00+99:99","9999-12-31T23:59:59-14:00","0001-01-01","10000-01-01","['a'","[[[[" *500,'{"a":'*500, "{{ 1 }}", "²³"]
def body(d): return json.dumps(d)
async def hit(admin, bad, method, path, d=None, raw=None):
    h={**admin.headers,"content-type":"application/json"}
    try:
        if d is not None: raw=json.dumps(d)
        r=await admin.http.request(method,path,content=raw,headers=h)
        if r.status_code>=500: bad.append((method,path[:200],(raw or "")[:200],r.status_code,r.text[:200]))
    except Exception as e:
        bad.append((method,path[:200],(raw or '')[:200],type(e).__name__,str(e)[:300]))
async def test_fuzz(admin, make, world, application):
    from urllib.parse import quote
    bad=[]
    from tests.resources.samples import SAMPLES
    for name,res in RESOURCES.items():
        b=SAMPLES[name].create(world, world.alice, 7)
        row=await make(name,2)
        for f in [*res.by_name,"zzz"]:
            for v in VALS:
                if name=="provision" or "create" in res.verbs:
                    await hit(admin,bad,"PUT",f"/crm/{name}",{**b,f:v})
                if "update" in res.verbs: await hit(admin,bad,"PATCH",f"/crm/{name}/{row[res.key]}",{f:v})
        for f in [*res.filters,"filters","page","per_page","sort","order","search","attribute_name","attribute_value","tag","available","active","include_disabled","latitude","longitude","radius"]:
            for v in VALS:
                t=v if isinstance(v,str) else json.dumps(v)
                q=quote(t.encode("utf-8","surrogatepass"))[:6000]
                for p in (f"/crm/{name}?{f}={q}",f"/crm/{name}?per_page=5&{f}={q}",f"/crm/{name}/customer_id/1?{f}={q}"):
                    await hit(admin,bad,"GET",p)
                if f in res.filters:
                    for w in (v,[v],{"a":v}):
                        try: fq=quote(json.dumps({f:w}))[:7000]
                        except Exception: continue
                        await hit(admin,bad,"GET",f"/crm/{name}?per_page=3&filters={fq}")
    print(len(bad))
    seen=set()
    for x in bad:
        k=(x[0],x[1].split("?")[0],x[1].split("?")[-1][:30] if "?" in x[1] else x[2][-60:],x[4][:80])
        if k in seen: continue
        seen.add(k)
        print(x)
    assert not bad
async def test_routes(admin, make, world, application):
    bad=[]
    for r in application.routes:
        p=r.path
        if not p.startswith(("/crm","/auth")): continue
        for m in sorted(getattr(r,"methods",[])):
            if m in ("OPTIONS","HEAD"): continue
            for k in ("1","99999999999999999999999","0","9"*5000,"-1",str(2**63-1)):
                import re
                q=re.sub(r"\{[^}]*\}",k,p)
                if "{" not in p and k!="1": continue
                for raw in ([None] if m=="GET" else ['{}','[]','{"a":[[[]]]}','\x00','[' *20000,'{"customer_ids":[%s],"action":"archive"}'%HUGE,'{"customer_ids":[[[1]],true,null],"action":"add_tag","tag_text":{},"tag_hex_color":[]}','{"customer_ids":[1,%s],"action":"set_status","customer_status":[1]}'%(2**63-1),'{"customer_id":1e400}','{"customer_id":%s,"attributes":[{"attribute_name":[],"attribute_value":%s}]}'%(HUGE,HUGE),'{"email":%s,"password":[1]}'%HUGE,'{"email":"\\ud800","password":"\\u0000\\ud800"}','{"email":"a","password":"%s"}'%("x"*100000),'{"refresh_token":"\\ud800"}','{"product_id":%s,"customer_id":%s}'%(HUGE,HUGE),'{"product_id":[1],"customer_id":true}','{"service_id":%s,"action":["x"]}'%HUGE,'{"product_id":1,"customer_id":1,"x\\u0000":"\\ud800"}','{"service_id":1,"customer_id":1,"action":"\\ud800"}','{"product_id":1,"customer_id":1,"service_uuid":"\\ud800", "a":"\\ud800"}']):
                    await hit(admin,bad,m,q,raw=raw)
    for u in ("inf","nan","-inf","1e400","91","x"):
        for key in ("latitude","longitude","radius"):
            d={"latitude":"1","longitude":"1","radius":"5",key:u}
            await hit(admin,bad,"GET","/crm/site/?"+"&".join(f"{a}={b}" for a,b in d.items()))
    print(len(bad))
    seen=set()
    for x in bad:
        k=(x[0],x[1][:60],x[4][:60])
        if k in seen: continue
        seen.add(k); print(x)
    assert not bad
